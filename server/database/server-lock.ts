import { setTimeout as sleep } from 'node:timers/promises'
import { StartupError } from '../errors/startup-error.ts'

/** Milliseconds to wait for a lock: the server before may be stopping. */
const PATIENCE = 2000
/** Milliseconds between two tries. */
const PAUSE = 50

/** Held by every running server. The operating system or the database frees it after a crash. */
export interface ServerLock {
  release(): void | Promise<void>
}

/**
 * Takes the lock of a database, or returns `undefined` at once if others prevent it.
 *
 * @param onLost Called if the lock was lost with its connection, and others have taken it since.
 */
export type TakeLock = (
  isExclusive: boolean,
  onLost: (error: Error) => void,
) => ServerLock | undefined | Promise<ServerLock | undefined>

/**
 * Registers a server as a user of a database. A server with keys of its own cannot share it: nobody
 * else could read its tokens, and it removes everybody's sessions. Operators' commands take no lock.
 *
 * @param isAlone Whether the server needs the database to itself.
 * @throws StartupError if the database is in use and either server needs it to itself.
 */
export async function lockDatabase(
  takeLock: TakeLock,
  isAlone: boolean,
  onLost: (error: Error) => void,
): Promise<ServerLock> {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const lock = await takeLock(isAlone, onLost)
    if (lock !== undefined) return lock
    if (performance.now() > deadline) throw new StartupError([inUse(isAlone)])
    await sleep(PAUSE)
  }
}

const inUse = (isAlone: boolean): string =>
  isAlone
    ? 'Another server is using this database, and with PRESERVE_SESSIONS_ON_REBOOT=0 a server cannot share it. Stop the other server, or set PRESERVE_SESSIONS_ON_REBOOT=1 for both.'
    : 'A server with PRESERVE_SESSIONS_ON_REBOOT=0 is using this database, and such a server cannot share it. Stop it, or set PRESERVE_SESSIONS_ON_REBOOT=1 for both.'
