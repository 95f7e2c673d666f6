import type { Logger } from '../logger.ts'
import { StartupError } from '../startup-error.ts'
import { fingerprint, type KeyFolder } from './folder.ts'
import { loadKeys } from './key-set.ts'
import type { ReloadableKeystore } from './keystore.ts'

/** Milliseconds. Asked and not notified: notifications fail on network file systems and mounts. */
const INTERVAL = 1000

export interface FolderFollower {
  /** Reads the folder now, changed or not. */
  reload(): Promise<void>
  stop(): void
}

/**
 * Keeps a keystore as its folder is. A folder that cannot be used is reported once, and the keys
 * that were loaded before stay in use.
 *
 * @param loaded The fingerprint of the folder that the keystore's keys were read from.
 */
export function followFolder(
  keystore: ReloadableKeystore,
  folder: KeyFolder,
  logger: Logger,
  loaded: string | undefined,
): FolderFollower {
  let seen = loaded
  let reported = ''
  let work = Promise.resolve()

  async function load(): Promise<void> {
    try {
      const keys = await loadKeys(folder)
      seen = keys.fingerprint
      reported = ''
      const { came, went } = keystore.replace(keys)
      logger.info({ came, went }, 'keys loaded')
    } catch (error) {
      // Tried again at the next look: it may have been a passing fault.
      seen = undefined
      const problems = error instanceof StartupError ? error.problems : [(error as Error).message]
      if (problems.join() === reported) return
      reported = problems.join()
      logger.error({ problems }, 'the key folder cannot be used: the keys from before stay in use')
    }
  }

  async function check(): Promise<void> {
    // A folder that is gone reads as another one, and is reported by loading it.
    const now = await fingerprint(folder.path).catch(() => 'unreadable')
    if (now !== seen) await load()
  }

  /** One at a time. */
  const queue = (next: () => Promise<void>): Promise<void> => {
    work = work.then(next)
    return work
  }

  void queue(check)
  const timer = setInterval(() => void queue(check), INTERVAL).unref()
  return {
    reload: () => queue(load),
    stop() {
      clearInterval(timer)
    },
  }
}
