import { hash } from 'node:crypto'
import { TooManyTries } from '../errors/too-many-tries.ts'
import type { ChangeFailures, Failures } from './failure-store.ts'

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
export type WrongPasswords = ReturnType<typeof createWrongPasswords>

/**
 * After five consecutive failures, every further try has to wait, twice as long each time, up to 15
 * minutes. After 100 consecutive failures by strangers, all strangers share one try every 15
 * minutes, until a known client succeeds or the password is reset. A stranger's success does not
 * end this.
 *
 * @param clock Milliseconds since the epoch.
 */
export function createWrongPasswords(clock: () => number, change: ChangeFailures) {
  return {
    /**
     * Tries a password. The try is counted before `isRight` is called, so that simultaneous tries
     * all count. If `isRight` throws, the password was not checked and the try does not count.
     *
     * @returns The result of `isRight`.
     * @throws TooManyTries during a wait; whatever `isRight` throws.
     */
    async check({ account, source }: Guesser, isRight: () => Promise<boolean>): Promise<boolean> {
      const isStranger = 'address' in source
      const sourceKey = keyOf(account, source)
      const accountKey = keyOf(account)
      const keys = [sourceKey, accountKey]
      const countedIn = ({ bySource, byStrangers }: Failures) => [
        { counts: bySource, key: sourceKey },
        ...(isStranger ? [{ counts: byStrangers, key: accountKey }] : []),
      ]
      /** Ends the try that was reserved. */
      const end = (settle: (failures: Failures) => void) =>
        change(keys, (failures) => {
          settle(failures)
          for (const { counts, key } of countedIn(failures)) counts.release(key)
        })

      await change(keys, (failures) => {
        const now = clock()
        const counted = countedIn(failures)
        const wait = Math.max(...counted.map(({ counts, key }) => counts.wait(key, now)))
        if (wait > 0) throw new TooManyTries('wrong_passwords', wait / 1000)
        for (const { counts, key } of counted) counts.reserve(key, now)
      })
      let result: boolean
      try {
        result = await isRight()
      } catch (error) {
        await end(() => undefined)
        throw error
      }
      await end((failures) => {
        const { bySource, byStrangers } = failures
        if (!result) {
          for (const { counts, key } of countedIn(failures)) counts.fail(key, clock())
          return
        }
        bySource.clear(sourceKey)
        if (isStranger) byStrangers.interrupt(accountKey, clock())
        else byStrangers.clear(accountKey)
      })
      return result
    },
    /**
     * Forgets the failures of strangers, because the owner has proved their identity in another
     * way.
     */
    forgive: (account: string): Promise<void> =>
      change([keyOf(account)], ({ byStrangers }) => {
        byStrangers.clear(keyOf(account))
      }),
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
