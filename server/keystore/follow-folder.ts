import pLimit from 'p-limit'
import type { Logger } from '../log/logger.ts'
import { StartupError } from '../errors/startup-error.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'
import { fingerprint } from './folder.ts'
import { loadKeys } from './key-set.ts'
import type { Keystore } from './keystore.ts'
import type { KeySource } from './open-keystore.ts'

/** Milliseconds. Polls, because file notifications are unreliable on network file systems. */
const INTERVAL = 1000
/** Milliseconds between two searches for unknown kids: anybody can make up a kid. */
const COOL_DOWN = 5000

/**
 * Reloads a keystore whenever its folder changes. If the folder cannot be used, the log says so
 * once, and the keys that were loaded before stay in use.
 *
 * @param clock Milliseconds since the epoch.
 */
export function followFolder(
  keystore: Keystore,
  logger: Logger,
  { folder, fingerprint: loaded }: KeySource,
  clock: () => number,
) {
  let seen: string | undefined = loaded
  let reported = ''

  async function load(): Promise<void> {
    try {
      const keys = await loadKeys(folder, clock())
      const { added, removed } = keystore.replace(keys)
      seen = keys.fingerprint
      reported = ''
      logger.info({ added, removed }, 'keys loaded')
    } catch (error) {
      // Makes the next poll try again: the problem may be temporary.
      seen = undefined
      const problems = error instanceof StartupError ? error.problems : [String(error)]
      if (problems.join() === reported) return
      reported = problems.join()
      const cause = error instanceof StartupError ? {} : { err: error }
      logger.error(
        { problems, ...cause },
        'The key folder cannot be used. The keys loaded before stay in use. If the configuration has changed, restart the server.',
      )
    }
  }

  async function check(): Promise<void> {
    // A missing folder counts as changed. Loading it then reports the problem.
    const now = await fingerprint(folder.path).catch(() => 'unreadable')
    if (now !== seen) await load()
  }

  const oneAtATime = pLimit(1)
  let search: Promise<void> | undefined
  let searchedAt = 0
  async function look(): Promise<void> {
    await oneAtATime(check)
    if (reported === '') return
    throw new UnavailableError('The key folder cannot be used.', COOL_DOWN / 1000)
  }
  keystore.follow(() => {
    const age = clock() - searchedAt
    // The age is negative if the clock was set back.
    if (search === undefined || age >= COOL_DOWN || age < 0) {
      searchedAt = clock()
      search = look()
    }
    return search
  })

  void oneAtATime(check)
  const timer = setInterval(() => void oneAtATime(check), INTERVAL).unref()
  return {
    /** Reads the folder now, whether it has changed or not. */
    reload: () => oneAtATime(load),
    stop() {
      clearInterval(timer)
    },
  }
}
