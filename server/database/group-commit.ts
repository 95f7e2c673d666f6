import { setImmediate } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import type { LibsqlDatabase } from './libsql-database.ts'
import { StorageError } from './storage-error.ts'

/** The most transactions in a group. No other request goes on while a group runs. */
const MAX_SIZE = 16

/** Runs `work` in a transaction. */
export type GroupCommit<S> = <T>(work: (trx: Transaction<S>) => Promise<T>) => Promise<T>

interface Member<S> {
  readonly work: (trx: Transaction<S>) => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * Group commit for the embedded database: transactions that arrive in one turn of the event loop, or
 * while others wait for the lock, run one after another, and one fsync makes them durable. Each has
 * a savepoint, so that one that throws is undone alone. If the commit fails, all of them fail.
 */
export function createGroupCommit<S>(db: Kysely<S>, database: LibsqlDatabase): GroupCommit<S> {
  const waiting: Member<S>[] = []
  let isRunning = false

  async function run(): Promise<void> {
    isRunning = true
    while (waiting.length > 0) {
      await setImmediate()
      await runGroup()
    }
    isRunning = false
  }

  async function runGroup(): Promise<void> {
    let group: Member<S>[] | undefined
    try {
      const settlements = await db.transaction().execute(async (trx) => {
        // Only now, because the lock may have taken long.
        group = waiting.splice(0, MAX_SIZE)
        const settlements: (() => void)[] = []
        for (const member of group) settlements.push(await attempt(member, trx))
        return settlements
      })
      for (const settle of settlements) settle()
    } catch (error) {
      // Without the lock, none that waits for it can go on.
      for (const { reject } of group ?? waiting.splice(0)) reject(error)
    }
  }

  /** @returns Settles the member, once all have been committed. */
  async function attempt(
    { work, resolve, reject }: Member<S>,
    trx: Transaction<S>,
  ): Promise<() => void> {
    database.exec('savepoint member')
    let value: unknown
    try {
      value = await work(trx)
    } catch (error) {
      checkStillOpen(error)
      database.exec('rollback to member; release member')
      return () => {
        reject(error)
      }
    }
    checkStillOpen()
    database.exec('release member')
    return () => {
      resolve(value)
    }
  }

  /** Some errors undo the whole transaction, such as a full disk. */
  function checkStillOpen(error?: unknown): void {
    if (database.isInTransaction()) return
    throw error instanceof StorageError ? error : new StorageError('SQLITE_ABORT', error)
  }

  return <T>(work: (trx: Transaction<S>) => Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      waiting.push({ work, resolve: resolve as (value: unknown) => void, reject })
      if (!isRunning) void run()
    })
}
