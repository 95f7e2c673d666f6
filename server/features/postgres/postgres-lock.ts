import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import type { Release, TakeLock } from '../../database/server-lock.ts'
import { StorageError } from '../../database/storage-error.ts'

/** Any number that nothing else uses for an advisory lock. */
const LOCK_ID = 7_238_817_402_117_261
/** Milliseconds between two tries to take a lost lock again. */
const PAUSE = 500
/** Tries while others hold it: that may be our own connection, whose end the server has not noticed. */
const TRIES = 20
/** Milliseconds. */
const TIMEOUT = 5000

/**
 * An advisory lock of a session: a connection of its own, which holds it for as long as it lives. If
 * the connection is lost, the lock is taken again as soon as the database is back.
 */
export function takePostgresLock(url: string): TakeLock {
  async function connect(isExclusive: boolean): Promise<Client | undefined> {
    const { Client } = await import('pg')
    const client = new Client({
      connectionString: url,
      application_name: 'jwe-auth-server lock',
      keepAlive: true,
      connectionTimeoutMillis: TIMEOUT,
      query_timeout: TIMEOUT,
    })
    // Followed by `end`.
    client.on('error', () => undefined)
    await client.connect()
    const lock = isExclusive ? 'pg_try_advisory_lock' : 'pg_try_advisory_lock_shared'
    const { rows } = await client
      .query<{ taken: boolean }>(`select ${lock}(${LOCK_ID}) as taken`)
      .catch((error: unknown) => {
        // Left open, it may get the lock after all, and then keep it from every later try.
        void client.end()
        throw error
      })
    if (rows[0]?.taken === true) return client
    await client.end()
    return undefined
  }

  return async function take(isExclusive, onLost): Promise<Release | undefined> {
    let client: Client | undefined
    let isReleased = false

    async function takeAgain(): Promise<void> {
      for (let refusals = 0; !isReleased && refusals < TRIES;) {
        try {
          const again = await connect(isExclusive)
          if (again !== undefined) {
            hold(again)
            return
          }
          refusals++
        } catch {
          // The database is still away, and requests are told so.
        }
        await sleep(PAUSE)
      }
      if (!isReleased) onLost(new Error('Another server has taken this database meanwhile.'))
    }
    function hold(holder: Client): void {
      client = holder
      if (isReleased) void holder.end()
      else holder.once('end', () => void takeAgain())
    }

    try {
      const first = await connect(isExclusive)
      if (first === undefined) return undefined
      hold(first)
    } catch (error) {
      throw new StorageError((error as { code?: string }).code ?? 'no connection', error)
    }
    return async () => {
      isReleased = true
      // Does not wait for a server that does not answer.
      await Promise.race([client?.end(), sleep(PAUSE, undefined, { ref: false })])
    }
  }
}
