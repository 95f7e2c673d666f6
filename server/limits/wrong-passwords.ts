import { hash } from 'node:crypto'
import { FailureCounts } from './failure-counts.ts'
import { TooManyTries } from '../errors/too-many-tries.ts'

/** The wrong passwords in a row that cause no wait. */
const FREE_FAILURES = 5
/** Milliseconds. */
const LONGEST_WAIT = 15 * 60_000
/** NIST SP 800-63B-4 §3.2.2: the most consecutive failures for one account. */
const MAX_STRANGER_FAILURES = 100

/** Who tries a password. */
export interface Guesser {
  /** The key of the e-mail address, whether or not it has an account. */
  readonly account: string
  /**
   * A client that has signed in to the account is counted separately, wherever it is, so that no
   * stranger can lock the owner out of it. Anybody else is counted by network address (see
   * client-address.ts), so that strangers elsewhere cannot lock the owner out of a new client
   * either.
   */
  readonly source: { readonly knownClient: string } | { readonly address: string }
}

/** Makes guessing the password of one account slow. */
export interface WrongPasswords {
  /**
   * Tries a password. The try is counted before `isRight` is called, so that simultaneous tries all
   * count. If `isRight` throws, the password was not checked and the try does not count.
   *
   * @returns The result of `isRight`.
   * @throws TooManyTries during a wait; whatever `isRight` throws.
   */
  check(guesser: Guesser, isRight: () => Promise<boolean>): Promise<boolean>
  /**
   * Forgets the failures of strangers, because the owner has proved their identity in another way.
   */
  forgive(account: string): Promise<void>
}

/**
 * Counts in this process's memory. Yours to replace: each of several servers counts for itself
 * unless they share a store.
 *
 * After five consecutive failures, every further try has to wait, twice as long each time, up to 15
 * minutes. After 100 consecutive failures by strangers, all strangers share one try every 15
 * minutes, until a known client succeeds or the password is reset. A stranger's success does not
 * end this.
 *
 * @param clock Milliseconds since the epoch.
 */
export function createWrongPasswords(clock: () => number): WrongPasswords {
  const bySource = new FailureCounts((failures) =>
    failures < FREE_FAILURES ? 0 : Math.min(1000 * 2 ** (failures - FREE_FAILURES), LONGEST_WAIT),
  )
  const byStrangers = new FailureCounts((failures) =>
    failures < MAX_STRANGER_FAILURES ? 0 : LONGEST_WAIT,
  )

  return {
    async check({ account, source }, isRight) {
      const isStranger = 'address' in source
      const sourceKey = keyOf(account, source)
      const accountKey = keyOf(account)
      const counted = [
        { counts: bySource, key: sourceKey },
        ...(isStranger ? [{ counts: byStrangers, key: accountKey }] : []),
      ]
      const now = clock()
      const wait = Math.max(...counted.map(({ counts, key }) => counts.wait(key, now)))
      if (wait > 0) throw new TooManyTries('wrong_passwords', wait / 1000)
      for (const { counts, key } of counted) counts.reserve(key, now)
      try {
        const result = await isRight()
        if (!result) {
          for (const { counts, key } of counted) counts.fail(key, clock())
        } else {
          bySource.clear(sourceKey)
          if (isStranger) byStrangers.interrupt(accountKey, clock())
          else byStrangers.clear(accountKey)
        }
        return result
      } finally {
        for (const { counts, key } of counted) counts.release(key)
      }
    },
    forgive(account) {
      byStrangers.clear(keyOf(account))
      return Promise.resolve()
    },
  }
}

/** For servers that do not limit logins. */
export const uncountedPasswords: WrongPasswords = {
  check: (_, isRight) => isRight(),
  forgive: () => Promise.resolve(),
}

/** Keys have a fixed length, and no input can make two of them the same. */
const keyOf = (account: string, source?: Guesser['source']): string =>
  hash('sha256', JSON.stringify([account, source]), 'base64url')
