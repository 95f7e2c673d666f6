import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import { createGroupCommit, type GroupCommit } from './group-commit.ts'
import { LibsqlAdapter } from './libsql-dialect.ts'
import { ConflictError } from './storage-error.ts'

/** The most tries, including the first. */
const TRIES = 5
/** The most milliseconds between two tries. */
const MAX_PAUSE = 20

/** By the executor, which instances of Kysely with the same plugins share. */
const groupCommits = new WeakMap<object, GroupCommit<unknown>>()

/**
 * Runs `work` in a transaction. On the embedded database, it shares one commit with others that are
 * requested at the same time: see group-commit.ts. Elsewhere, if it loses a race with another one,
 * it runs again, up to five times in total.
 *
 * @param work Must have no effects outside the database, wait for nothing else, and leave none of its
 *   queries running when it ends.
 * @throws ConflictError if it loses every time; StorageError; whatever `work` throws.
 */
export function inTransaction<S, T>(
  db: Kysely<S>,
  work: (trx: Transaction<S>) => Promise<T>,
): Promise<T> {
  const executor = db.getExecutor()
  if (!(executor.adapter instanceof LibsqlAdapter)) {
    return retryConflicts(() => db.transaction().execute(work))
  }
  // Only one transaction at a time can write to the embedded database, so none loses a race.
  const known = groupCommits.get(executor) as GroupCommit<S> | undefined
  const groupCommit = known ?? createGroupCommit(db, executor.adapter.database)
  groupCommits.set(executor, groupCommit as GroupCommit<unknown>)
  return groupCommit(work)
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
