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

/** The library's two functions, in any thread. */
export interface Argon2 {
  readonly hash: (password: string, parameters: HashParameters) => Promise<string>
  /** Takes the parameters from the hash. */
  readonly verify: (passwordHash: string, password: string) => Promise<boolean>
}

/** OWASP Password Storage Cheat Sheet: argon2id (the library's default), 19 MiB, two passes, one lane. */
const PARAMETERS: HashParameters = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 }

/**
 * The highest accepted cost: memory in KiB, and passes over that much memory. It is the cost of
 * libsodium's SENSITIVE, the most costly preset in common use, and takes seconds. A damaged hash
 * can name a cost that takes days.
 */
const MAX_MEMORY = 1024 * 1024
const MAX_PASSES = 4
/** An Argon2 hash in PHC string format, whose parameters have only one order. */
const PHC = /^\$argon2(?:id|i|d)\$(?:v=\d+\$)?m=(\d+),t=(\d+),p=\d+\$/

/**
 * A hash occupies a core. One hash on two cores, or two on four, leaves room for requests with
 * tokens, even where hashing cannot have a lower priority. `npm run bench -- sign-ins` measures
 * this.
 */
const AT_ONCE = availableParallelism() < 4 ? 1 : 2
/**
 * For each lane of the queue. At about 20 ms per hash, the last one waits for two or three seconds,
 * or longer while requests with tokens keep the cores busy.
 */
const WAITING = 64

/** Stands for the hash of an account that has no password. */
export const NO_PASSWORD = ''

/** The defaults are those of production, except for the threads. */
interface HasherOptions {
  readonly parameters?: HashParameters
  /** The library itself by default: on libuv's threads, at normal priority. */
  readonly argon2?: Argon2
}

export type PasswordHasher = ReturnType<typeof createPasswordHasher>

/**
 * Creates a hasher with its own queue.
 *
 * Its `hash` and `verify` throw an UnavailableError if the queue is full: see fair-queue.ts.
 */
export function createPasswordHasher(options: HasherOptions = {}) {
  const { parameters = PARAMETERS, argon2 = { hash, verify } } = options
  const { memoryCost, timeCost, parallelism } = parameters
  const prefix = `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`
  const queue = createFairQueue(AT_ONCE, WAITING)
  // A salt and a hash of zeros, in their usual lengths. No password has this hash.
  const dummy = `${prefix}${'A'.repeat(22)}$${'A'.repeat(43)}`
  let done = 0
  let ms = 0

  /** Hashes when it is the requester's turn. */
  const run = <T>(requester: Requester, work: () => Promise<T>): Promise<T> =>
    queue.run(requester, async () => {
      const start = performance.now()
      const result = await work()
      done += 1
      ms += performance.now() - start
      return result
    })

  return {
    /** A new hash, in PHC string format, with a random salt. */
    hash: (password: string, requester: Requester): Promise<string> =>
      run(requester, async () => argon2.hash(normalisePassword(password), parameters)),

    /**
     * Whether the password matches the hash. Without a hash (an unknown address, or an account
     * without a password), this takes the same time and returns `false`.
     *
     * @throws Error for a damaged hash, which says nothing about the password.
     */
    async verify(
      passwordHash: string | undefined,
      password: string,
      requester: Requester,
    ): Promise<boolean> {
      const hasPassword = passwordHash !== undefined && passwordHash !== NO_PASSWORD
      const against = hasPassword ? passwordHash : dummy
      requireAffordable(against)
      const matches = await run(requester, async () =>
        argon2.verify(against, normalisePassword(password)),
      )
      return matches && hasPassword
    },

    /** Whether a hash was made with parameters other than this hasher's. */
    needsRehash: (passwordHash: string): boolean => !passwordHash.startsWith(prefix),

    /**
     * How many passwords wait, how many were hashed or verified since the hasher was created, and
     * how many milliseconds that took, excluding the wait.
     */
    load: () => ({ waiting: queue.waiting, done, ms }),
  }
}

/** @throws Error for a hash that would occupy a thread for too long. */
function requireAffordable(passwordHash: string): void {
  const [memory = Infinity, passes = Infinity] = (PHC.exec(passwordHash) ?? []).slice(1).map(Number)
  if (memory <= MAX_MEMORY && memory * passes <= MAX_MEMORY * MAX_PASSES) return
  throw new Error(
    'A stored password hash is damaged: it is not Argon2, or it costs too much to check.',
  )
}

/**
 * Makes a password the same on every system (NIST SP 800-63B-4 §3.1.1.2). Changes nothing else.
 *
 * @throws RangeError for a password over `MAX_PASSWORD_CODE_UNITS`. Callers must refuse it before.
 */
export function normalisePassword(password: string): string {
  if (password.length > MAX_PASSWORD_CODE_UNITS) throw new RangeError('The password is too long.')
  return password.normalize('NFC')
}
