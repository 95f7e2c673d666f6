import { TooManyTries } from './too-many-tries.ts'

/** Wrong passwords in a row that cost nothing: people do forget. */
const FREE_FAILURES = 5
/** Milliseconds. After the free ones each failure doubles the wait, up to this. */
const LONGEST_WAIT = 15 * 60_000
/** Milliseconds without an attempt after which failures are forgotten. */
const MEMORY = 86_400_000
/** Keys at most; beyond them the one that has been quiet longest is forgotten. */
const CAPACITY = 100_000

/** Makes guessing at one account slow. The key decides who is locked out together: see lockoutKey. */
export interface Lockout {
  /**
   * Counts an attempt before its password is looked at, so that a hundred at once are a hundred.
   *
   * @throws TooManyTries while locked.
   */
  attempt(key: string): Promise<void>
  /** The password was right: all is forgotten. */
  clear(key: string): Promise<void>
}

interface Failures {
  readonly count: number
  readonly lockedUntil: number
  readonly forgottenAt: number
}

/** Counts in this process's memory. Yours to replace, where several servers should count together. */
export function createLockout(clock: () => number = Date.now): Lockout {
  const failures = new Map<string, Failures>()

  // Decided and counted in one step, with nothing awaited in between.
  function count(key: string): void {
    const now = clock()
    const known = failures.get(key)
    const before = known !== undefined && known.forgottenAt > now ? known : undefined
    const wait = (before?.lockedUntil ?? 0) - now
    if (wait > 0) throw new TooManyTries('wrong_passwords', wait / 1000)
    const attempts = (before?.count ?? 0) + 1
    const excess = attempts - FREE_FAILURES
    const lockedUntil = excess > 0 ? now + Math.min(1000 * 2 ** (excess - 1), LONGEST_WAIT) : 0
    // Deleted first: a Map keeps its keys in the order in which they came.
    failures.delete(key)
    failures.set(key, { count: attempts, lockedUntil, forgottenAt: now + MEMORY })
    if (failures.size > CAPACITY) failures.delete(failures.keys().next().value ?? '')
  }

  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- a shared store would wait
    async attempt(key) {
      count(key)
    },
    clear(key) {
      failures.delete(key)
      return Promise.resolve()
    },
  }
}

/**
 * A client on which the account is signed in has failures of its own, which strangers do not add to
 * unless they know its client_id. Any other shares them with its network address alone, so that
 * strangers elsewhere cannot lock the owner out (OWASP, "device cookies").
 */
export function lockoutKey(
  emailKey: string,
  attempt: { readonly isKnownClient: boolean; readonly clientId: string; readonly address: string },
): string {
  return attempt.isKnownClient
    ? `client:${attempt.clientId}:${emailKey}`
    : `address:${attempt.address}:${emailKey}`
}
