import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import { createGroupCommit, type GroupCommit } from './group-commit.ts'
import type { LibsqlDatabase } from './libsql-database.ts'
import { LibsqlAdapter } from './libsql-dialect.ts'
import { ConflictError } from './storage-error.ts'

/** The most tries, including the first. */
const TRIES = 5
/** The most milliseconds between two tries. */
const MAX_PAUSE = 20

/**
 * Runs `work` in a transaction. If it loses a race with another one, it runs again, up to five times
 * in total. So `work` must have no effects outside the database.
 *
 * @throws ConflictError if it loses every time; whatever `work` throws.
 */
export function inTransaction<S, T>(
  db: Kysely<S>,
  work: (trx: Transaction<S>) => Promise<T>,
): Promise<T> {
  const { adapter } = db.getExecutor()
  // Only one transaction at a time can write to the embedded database, so none loses a race.
  if (adapter instanceof LibsqlAdapter) return groupCommitOf(db, adapter.database)(work)
  return retryConflicts(() => db.transaction().execute(work))
}

/** By the executor, which instances of Kysely with the same plugins share. */
const groupCommits = new WeakMap<object, GroupCommit<unknown>>()

function groupCommitOf<S>(db: Kysely<S>, database: LibsqlDatabase): GroupCommit<S> {
  const known = groupCommits.get(db.getExecutor()) as GroupCommit<S> | undefined
  if (known !== undefined) return known
  const created = createGroupCommit(db, database)
  groupCommits.set(db.getExecutor(), created as GroupCommit<unknown>)
  return created
}

/** Runs `work` again if it throws a ConflictError. */
export async function retryConflicts<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === TRIES || !(error instanceof ConflictError)) throw error
    }
    await sleep(randomInt(MAX_PAUSE))
  }
}
