import { setTimeout as sleep } from 'node:timers/promises'
import { StartupError } from '../errors/startup-error.ts'

/** Milliseconds to wait for a lock: the server before may be stopping. */
const PATIENCE = 2000
/** Milliseconds between two tries. */
const PAUSE = 50

/**
 * Takes the lock of a database, which every running server holds. The operating system or the
 * database frees it after a crash.
 *
 * @param onLost Called if the lock was lost with its connection, and others have taken it since.
 * @returns Releases the lock; `undefined`, at once, if others prevent taking it.
 */
export type TakeLock = (
  isExclusive: boolean,
  onLost: (error: Error) => void,
) => Release | undefined | Promise<Release | undefined>

export type Release = () => void | Promise<void>

/**
 * Registers a server as a user of a database. A server with keys of its own cannot share it: nobody
 * else could read its tokens, and it removes everybody's sessions. Operators' commands take no lock.
 *
 * @param isAlone Whether the server needs the database to itself.
 * @returns Releases its lock.
 * @throws StartupError if the database is in use and either server needs it to itself.
 */
export async function lockDatabase(
  takeLock: TakeLock,
  isAlone: boolean,
  onLost: (error: Error) => void,
): Promise<Release> {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const release = await takeLock(isAlone, onLost)
    if (release !== undefined) return release
    if (performance.now() > deadline) throw new StartupError([inUse(isAlone)])
    await sleep(PAUSE)
  }
}

const inUse = (isAlone: boolean): string =>
  isAlone
    ? 'Another server is using this database, and with PRESERVE_SESSIONS_ON_REBOOT=0 a server cannot share it. Stop the other server, or set PRESERVE_SESSIONS_ON_REBOOT=1 for both.'
    : 'A server with PRESERVE_SESSIONS_ON_REBOOT=0 is using this database, and such a server cannot share it. Stop it, or set PRESERVE_SESSIONS_ON_REBOOT=1 for both.'
