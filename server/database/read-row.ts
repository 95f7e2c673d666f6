import type { CompiledQuery } from 'kysely'
import { inOneBatch } from './batch.ts'
import { rollBack, type LibsqlDatabase } from './libsql-database.ts'
import { LibsqlAdapter } from './libsql-dialect.ts'
import type { Database } from './open.ts'
import { toStorageError } from './storage-error.ts'

/**
 * Prepares a query that many requests wait for. On the embedded database it is run
 * directly: the way through Kysely takes several times as long as the query itself. Calls in one turn
 * of the event loop share a lock, because taking it and giving it back takes as long as finding a row.
 *
 * @param query Its parameters are replaced by those of each call: as many, in the same order.
 * @returns Finds the first row.
 * @throws StorageError, when it is run.
 */
export function rowReader<Row>(
  db: Database,
  query: CompiledQuery<Row>,
): (parameters: readonly unknown[]) => Promise<Row | undefined> {
  const { adapter } = db.getExecutor()
  const database = adapter instanceof LibsqlAdapter ? adapter.database : undefined
  let read: ReturnType<LibsqlDatabase['prepareRow']> | undefined

  return inOneBatch(async (batch: readonly (readonly unknown[])[]) => {
    // Within a transaction, the connection would also read uncommitted rows. Kysely waits for its
    // end, and reports a closed database.
    if (!database?.isOpen() || database.isInTransaction()) {
      const results = await Promise.all(
        batch.map((parameters) => db.executeQuery<Row>({ ...query, parameters })),
      )
      return results.map(({ rows }) => rows[0])
    }
    try {
      database.beginReading()
      const prepared = (read ??= database.prepareRow(query.sql))
      return batch.map((parameters) => prepared(parameters) as Row | undefined)
    } catch (error) {
      // Another process may have changed the schema.
      read = undefined
      throw toStorageError(error)
    } finally {
      rollBack(database)
    }
  })
}
