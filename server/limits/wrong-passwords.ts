import { hash } from 'node:crypto'
import { FailureCounts } from './failure-counts.ts'
import { TooManyTries } from '../errors/too-many-tries.ts'

/** Wrong passwords in a row without a wait. */
const FREE_FAILURES = 5
/** Milliseconds. */
const LONGEST_WAIT = 15 * 60_000
/** NIST SP 800-63B-4 §3.2.2: consecutive failures of one account at most. */
const MAX_STRANGER_FAILURES = 100

/** Who tries a password. */
export interface Guesser {
  /** The account, by the key of its e-mail address: one that does not exist counts like any other. */
  readonly account: string
  /**
   * A client that has signed in to the account counts by itself, wherever it is, so that no stranger
   * keeps the owner out of it. Anybody else counts by network address (see client-address.ts), so
   * that strangers elsewhere do not keep the owner out of a new client either.
   */
  readonly source: { readonly knownClient: string } | { readonly address: string }
}

/** Makes guessing the password of one account slow. */
export interface WrongPasswords {
  /**
   * Tries a password. The try counts from before `isRight` is called, so that a hundred at once are a
   * hundred. If `isRight` throws, the password was not checked and the try does not count.
   *
   * @returns What `isRight` does.
   * @throws TooManyTries while there is something to wait for; whatever `isRight` throws.
   */
  check(guesser: Guesser, isRight: () => Promise<boolean>): Promise<boolean>
  /** Forgets the failures of strangers: the owner has proved themselves in another way. */
  forgive(account: string): Promise<void>
}

/**
 * Counts in this process's memory. Yours to replace: with several servers the counts are per server,
 * unless they share a store.
 *
 * After five failures in a row each further try has to wait, twice as long each time, up to 15
 * minutes. After 100 failures of strangers in a row, they share one try every 15 minutes, until a
 * known client succeeds or the password is reset. A stranger's success does not end that.
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
