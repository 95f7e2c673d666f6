import { availableParallelism } from 'node:os'
import { hash, verify } from '@node-rs/argon2'
import { MAX_PASSWORD_CODE_UNITS } from '../../protocol/limits.ts'
import { createFairQueue, type Requester } from './fair-queue.ts'

/** What one hash costs (RFC 9106 §3.1). */
export interface HashParameters {
  /** KiB. */
  readonly memoryCost: number
  /** Passes over the memory. */
  readonly timeCost: number
  /** Lanes. */
  readonly parallelism: number
}

/** The two functions of the library, in whichever thread. */
export interface Argon2 {
  readonly hash: (password: string, parameters: HashParameters) => Promise<string>
  /** Takes the parameters from the hash. */
  readonly verify: (passwordHash: string, password: string) => Promise<boolean>
}

/** OWASP Password Storage Cheat Sheet: argon2id (the library's default), 19 MiB, two passes, one lane. */
const PARAMETERS: HashParameters = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 }

/**
 * A hash keeps a core busy. One on two cores and two on four leave tokens room, also where hashing
 * has no lower priority; `npm run bench -- sign-ins` shows it.
 */
const AT_ONCE = availableParallelism() < 4 ? 1 : 2
/**
 * In each lane of the queue. With about 20 ms a hash, the last waits for two or three seconds, and for
 * longer while requests with tokens keep the cores busy.
 */
const WAITING = 64

/** Stands for the hash of an account that has no password. */
export const NO_PASSWORD = ''

export interface PasswordHasher {
  /** A new hash, in PHC string format, with a random salt. */
  hash(password: string, requester: Requester): Promise<string>
  /**
   * Whether the password is the one that was hashed. Without a hash (an unknown address, an account
   * without a password) it takes the same time and says no.
   */
  verify(passwordHash: string | undefined, password: string, requester: Requester): Promise<boolean>
  /** Whether a hash was made with parameters other than this hasher's. */
  needsRehash(passwordHash: string): boolean
}

/** With what a hasher works: by default, as in production but for the threads. */
interface HasherOptions {
  readonly parameters?: HashParameters
  /** By default, the library's own: on libuv's threads, with the priority of everything else. */
  readonly argon2?: Argon2
}

/**
 * A hasher with a queue of its own.
 *
 * @throws UnavailableError, from `hash` and `verify`, when the queue is full: see fair-queue.ts.
 */
export function createPasswordHasher(options: HasherOptions = {}): PasswordHasher {
  const { parameters = PARAMETERS, argon2 = { hash, verify } } = options
  const { memoryCost, timeCost, parallelism } = parameters
  const prefix = `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`
  const queue = createFairQueue(AT_ONCE, WAITING)
  // A salt and a hash of zeros, in their usual lengths. Nobody has a password with this hash.
  const dummy = `${prefix}${'A'.repeat(22)}$${'A'.repeat(43)}`
  return {
    hash: (password, requester) =>
      queue.run(requester, async () => argon2.hash(normalisePassword(password), parameters)),
    async verify(passwordHash, password, requester) {
      const hasPassword = passwordHash !== undefined && passwordHash !== NO_PASSWORD
      const against = hasPassword ? passwordHash : dummy
      const matches = await queue.run(requester, async () =>
        argon2.verify(against, normalisePassword(password)),
      )
      return matches && hasPassword
    },
    needsRehash: (passwordHash) => !passwordHash.startsWith(prefix),
  }
}

/**
 * One password typed on two systems is the same one (NIST SP 800-63B-4 §3.1.1.2). Nothing else is
 * changed.
 *
 * @throws RangeError for one over `MAX_PASSWORD_CODE_UNITS`, which whoever reads a password must refuse.
 */
export function normalisePassword(password: string): string {
  if (password.length > MAX_PASSWORD_CODE_UNITS) throw new RangeError('The password is too long.')
  return password.normalize('NFC')
}
