import { hash } from 'node:crypto'
import type { RateLimit } from '../config/parsers.ts'
import { TooManyTries } from '../errors/too-many-tries.ts'
import {
  clear,
  fail,
  interrupt,
  release,
  reserve,
  waitOf,
  type Count,
  type WaitAfter,
} from './failure-counts.ts'
import type { ChangeFailures } from './failure-store.ts'

/** The number of consecutive wrong passwords that cause no wait. */
const FREE_FAILURES = 5
/** Milliseconds. */
const LONGEST_WAIT = 15 * 60_000
/** NIST SP 800-63B-4 §3.2.2: the most consecutive failures for one account. */
const MAX_STRANGER_FAILURES = 100

const afterOwn: WaitAfter = (failures) =>
  failures < FREE_FAILURES ? 0 : Math.min(1000 * 2 ** (failures - FREE_FAILURES), LONGEST_WAIT)
const afterStrangers: WaitAfter = (failures) =>
  failures < MAX_STRANGER_FAILURES ? 0 : LONGEST_WAIT

/** The failures that one try depends on: those of its source, and those of all strangers. */
type Both = readonly [source: Count, strangers: Count]

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
   * Tries a password. The try is counted before `isRight` is called, so that simultaneous tries
   * all count. If `isRight` throws, the password was not checked and the try does not count.
   *
   * @returns The result of `isRight`.
   * @throws TooManyTries during a wait; whatever `isRight` throws.
   */
  check(guesser: Guesser, isRight: () => Promise<boolean>): Promise<boolean>
  /**
   * Forgets the failures of strangers, because the owner has proved their identity in another
   * way.
   */
  forgive(account: string): Promise<void>
}

/**
 * After five consecutive failures, every further try has to wait, twice as long each time, up to 15
 * minutes. After 100 consecutive failures by strangers, all strangers share one try every 15
 * minutes, until a known client succeeds or the password is reset. A stranger's success does not
 * end this.
 *
 * @param clock Milliseconds since the epoch.
 * @param limit RATE_LIMIT_LOGIN. If it is off, there are no waits either.
 */
export function createWrongPasswords(
  clock: () => number,
  change: ChangeFailures,
  limit?: RateLimit | 'off',
): WrongPasswords {
  if (limit === 'off') {
    return { check: (_, isRight) => isRight(), forgive: () => Promise.resolve() }
  }
  return {
    async check({ account, source }, isRight) {
      const isStranger = 'address' in source
      const keys = [keyOf(account, source), keyOf(account)] as const
      /** Changes the counts that this try belongs to. */
      const forThisTry = ([own, strangers]: Both, step: (count: Count) => Count): Both => [
        step(own),
        isStranger ? step(strangers) : strangers,
      ]
      /** Ends the try that was reserved. */
      const end = (settle: (both: Both, now: number) => Both) =>
        change(keys, clock, (both, now) => forThisTry(settle(both, now), release))

      await change(keys, clock, (both, now) => {
        const [own, strangers] = both
        const wait = Math.max(
          waitOf(own, afterOwn, now),
          isStranger ? waitOf(strangers, afterStrangers, now) : 0,
        )
        if (wait > 0) throw new TooManyTries('wrong_passwords', wait / 1000)
        return forThisTry(both, (each) => reserve(each, now))
      })
      let result: boolean
      try {
        result = await isRight()
      } catch (error) {
        await end((both) => both)
        throw error
      }
      await end((both, now) => {
        if (!result) return forThisTry(both, (each) => fail(each, now))
        const [own, strangers] = both
        return [
          clear(own),
          isStranger ? interrupt(strangers, afterStrangers, now) : clear(strangers),
        ]
      })
      return result
    },
    forgive: (account) => change([keyOf(account)], clock, ([strangers]) => [clear(strangers)]),
  }
}

/** Keys have a fixed length, and no input can make two of them the same. */
const keyOf = (account: string, source?: Guesser['source']): string =>
  hash('sha256', JSON.stringify([account, source]), 'base64url')
