import type { SharedDatabase, WrongPasswordsRow } from '../database/shared-tables.ts'
import { inTransaction } from '../database/transaction.ts'
import { FailureCounts, type Count } from './failure-counts.ts'

/** The number of consecutive wrong passwords that cause no wait. */
const FREE_FAILURES = 5
/** Milliseconds. */
const LONGEST_WAIT = 15 * 60_000
/** NIST SP 800-63B-4 §3.2.2: the most consecutive failures for one account. */
const MAX_STRANGER_FAILURES = 100

/** The failures that one try of a password depends on. */
export interface Failures {
  readonly bySource: FailureCounts
  readonly byStrangers: FailureCounts
}

/**
 * Runs `work` with exclusive access to the failures of some keys.
 *
 * @throws StorageError; whatever `work` throws, in which case nothing is changed.
 */
export type ChangeFailures = <T>(
  keys: readonly string[],
  work: (failures: Failures) => T,
) => Promise<T>

const createFailures = (
  sources = new Map<string, Count>(),
  strangers = new Map<string, Count>(),
): Failures => ({
  bySource: new FailureCounts(
    (failures) =>
      failures < FREE_FAILURES ? 0 : Math.min(1000 * 2 ** (failures - FREE_FAILURES), LONGEST_WAIT),
    sources,
  ),
  byStrangers: new FailureCounts(
    (failures) => (failures < MAX_STRANGER_FAILURES ? 0 : LONGEST_WAIT),
    strangers,
  ),
})

/** Keeps failures in this process's memory. */
export function failuresInMemory(): ChangeFailures {
  const failures = createFailures()
  // eslint-disable-next-line @typescript-eslint/require-await -- what `work` throws becomes a rejection
  return async (_, work) => work(failures)
}

/** Keeps failures in the database that several servers share. */
export const failuresInDatabase =
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
