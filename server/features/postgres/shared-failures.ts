import { inTransaction } from '../../database/transaction.ts'
import { countAt, isUsed, type Count } from '../../limits/failure-counts.ts'
import type { ChangeFailures, Counts } from '../../limits/failure-store.ts'
import type { SharedDatabase, WrongPasswordsRow } from './shared-tables.ts'

/** Keeps failures in the database that several servers share. */
export const sharedFailures =
  (db: SharedDatabase): ChangeFailures =>
  (keys, clock, change) =>
    inTransaction(db, async (trx) => {
      const kept = await lock(trx, keys)
      const now = clock()
      const counts = keys.map((key) => countAt(now, kept.get(key)))
      const changed = change(counts as unknown as Counts<typeof keys>, now)
      for (const [index, key] of keys.entries()) {
        const count = changed[index]
        await (count !== undefined && isUsed(count)
          ? trx
              .updateTable('wrong_passwords')
              .where('key', '=', key)
              .set(toRow(key, count))
              .execute()
          : trx.deleteFrom('wrong_passwords').where('key', '=', key).execute())
      }
    })

/** Locks the rows of keys, even of missing ones. Always in the same order, to avoid deadlocks. */
async function lock(trx: SharedDatabase, keys: readonly string[]): Promise<Map<string, Count>> {
  const none = { failures: 0, failed_at: 0, reserved: 0, reserved_at: 0 }
  const rows = await trx
    .insertInto('wrong_passwords')
    .values(keys.toSorted().map((key) => ({ key, ...none })))
    .onConflict((conflict) =>
      conflict.column('key').doUpdateSet((row) => ({ key: row.ref('excluded.key') })),
    )
    .returningAll()
    .execute()
  return new Map(rows.map((row) => [row.key, toCount(row)]))
}

const toCount = ({ failures, failed_at, reserved, reserved_at }: WrongPasswordsRow): Count => ({
  failures,
  failedAt: failed_at,
  reserved,
  reservedAt: reserved_at,
})

const toRow = (key: string, count: Count): WrongPasswordsRow => ({
  key,
  failures: count.failures,
  failed_at: count.failedAt,
  reserved: count.reserved,
  reserved_at: count.reservedAt,
})
