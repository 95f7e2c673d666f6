import { inTransaction } from '../../database/transaction.ts'
import type { Count } from '../../limits/failure-counts.ts'
import { createFailures, type ChangeFailures } from '../../limits/failure-store.ts'
import type { SharedDatabase, WrongPasswordsRow } from './shared-tables.ts'

/** Keeps failures in the database that several servers share. */
export const sharedFailures =
  (db: SharedDatabase): ChangeFailures =>
  (keys, work) =>
    inTransaction(db, async (trx) => {
      const counts = await lock(trx, keys)
      const result = work(createFailures(counts, counts))
      for (const key of keys) {
        const count = counts.get(key)
        const row = trx.updateTable('wrong_passwords').where('key', '=', key)
        await (count === undefined
          ? trx.deleteFrom('wrong_passwords').where('key', '=', key).execute()
          : row.set(toRow(key, count)).execute())
      }
      return result
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
  const isUsed = ({ failures, reserved }: WrongPasswordsRow) => failures > 0 || reserved > 0
  return new Map(rows.filter(isUsed).map((row) => [row.key, toCount(row)]))
}

const toCount = ({ failures, failed_at, reserved, reserved_at }: WrongPasswordsRow): Count => ({
  ...{ failures, failedAt: failed_at, reserved, reservedAt: reserved_at },
})

const toRow = (key: string, count: Count): WrongPasswordsRow => ({
  ...{ key, failures: count.failures, failed_at: count.failedAt },
  ...{ reserved: count.reserved, reserved_at: count.reservedAt },
})
