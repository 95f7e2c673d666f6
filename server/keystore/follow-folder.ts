import type { Logger } from '../log/logger.ts'
import { StartupError } from '../errors/startup-error.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'
import { fingerprint, type KeyFolder } from './folder.ts'
import { loadKeys } from './key-set.ts'
import type { ReloadableKeystore } from './keystore.ts'

/** Milliseconds. Polls, because file notifications are unreliable on network file systems. */
const INTERVAL = 1000
/** Milliseconds between two searches for unknown kids: anybody can make up a kid. */
const COOL_DOWN = 5000

export interface FolderFollower {
  /** Reads the folder now, whether it has changed or not. */
  reload(): Promise<void>
  stop(): void
}

interface Followed {
  readonly folder: KeyFolder
  /** The state of the folder when the keystore's keys were read: see folder.ts. */
  readonly fingerprint: string
}

/**
 * Reloads a keystore whenever its folder changes. If the folder cannot be used, the log says so
 * once, and the keys that were loaded before stay in use.
 *
 * @param clock Milliseconds since the epoch.
 */
export function followFolder(
  keystore: ReloadableKeystore,
  logger: Logger,
  { folder, fingerprint: loaded }: Followed,
  clock: () => number = Date.now,
): FolderFollower {
  let seen: string | undefined = loaded
  let reported = ''
  let work = Promise.resolve()

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

  /** Runs one piece of work at a time. */
  const queue = (next: () => Promise<void>): Promise<void> => {
    work = work.then(next)
    return work
  }

  async function look(): Promise<void> {
    await queue(check)
    if (reported === '') return
    throw new UnavailableError('The key folder cannot be used.', COOL_DOWN / 1000)
  }

  keystore.follow(atMostOnceIn(COOL_DOWN, clock, look))
  void queue(check)
  const timer = setInterval(() => void queue(check), INTERVAL).unref()
  return {
    reload: () => queue(load),
    stop() {
      clearInterval(timer)
    },
  }
}

/** Starts `work` at most once per interval. Calls in between get the result of the last run. */
function atMostOnceIn(
  interval: number,
  clock: () => number,
  work: () => Promise<void>,
): () => Promise<void> {
  let last: Promise<void> | undefined
  let begun = 0
  return () => {
    const age = clock() - begun
    // The age is negative if the clock was set back.
    if (last === undefined || age >= interval || age < 0) {
      begun = clock()
      last = work()
    }
    return last
  }
}
