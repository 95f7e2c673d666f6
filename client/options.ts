import type { Fetch } from './http.ts'
import type { ClientStore } from './stores/client-store.ts'

export interface AuthClientOptions {
  /** The base URL at which this client reaches the server: https, or http on this machine. */
  readonly server: string
  /** The server's ISSUER, if it differs from `server`. */
  readonly issuer?: string
  /** `await browserStore()` in a page; `fileStore(…)` or `memoryStore()` on Node. */
  readonly store: ClientStore
  /** This installation's name in the list of sessions. */
  readonly clientName?: string
  /**
   * Base URLs of other services that may receive tokens. They learn what is in the tokens, and can use
   * those that are not key-bound, so list only your own.
   */
  readonly services?: readonly string[]
  /**
   * Whether bodies and answers are encrypted from end to end. `offered`, the default: if the server
   * offers it. `required`: always, whatever the metadata says. `never`: not at all.
   */
  readonly sealedBodies?: SealedBodies
  /**
   * Whether tokens are worthless without this client's key. `offered`, the default: if the server
   * offers it. `required`: always, so no other tokens or sessions are accepted, whatever the
   * metadata says.
   */
  readonly keyBoundTokens?: KeyBoundTokens
  /**
   * The `kid`s of the server's keys, signing and encryption, that this client may use. By default
   * it uses all published keys, so somebody who rewrites traffic could hand out keys of their own.
   * Pin each key before the server rotates to it: see docs/client.md.
   */
  readonly pinnedKeys?: readonly string[]
  /** Derives a secret to send instead of the password; by default the password is sent. See scrypt-password.ts. */
  readonly derivePassword?: DerivePassword
  /** Seconds for which the server's cached keys are used while it is unreachable; a day by default. */
  readonly maxKeyAge?: number
  /** Called with the reason if a stored token is refused. Then nothing is thrown, and nobody is signed in. */
  readonly onRefused?: (error: unknown) => void
  readonly fetch?: Fetch
  /** Milliseconds since the epoch; the system clock by default. */
  readonly clock?: () => number
}

/** The options that take one of several words. */
const WORDS = {
  sealedBodies: ['offered', 'required', 'never'],
  keyBoundTokens: ['offered', 'required'],
} as const

export type SealedBodies = (typeof WORDS.sealedBodies)[number]

export type KeyBoundTokens = (typeof WORDS.keyBoundTokens)[number]

/**
 * Refuses misspelt values of options. Most would silently switch a protection off.
 *
 * @throws TypeError
 */
export function checkOptions(options: AuthClientOptions): void {
  for (const [name, words] of Object.entries(WORDS)) {
    const value = options[name as keyof typeof WORDS]
    if (value !== undefined && !(words as readonly string[]).includes(value)) {
      throw new TypeError(`${name} must be one of: ${words.join(', ')}.`)
    }
  }
  const { maxKeyAge = 0 } = options
  if (typeof maxKeyAge !== 'number' || !(maxKeyAge >= 0)) {
    throw new TypeError('maxKeyAge must be a number of seconds.')
  }
}

/**
 * Derives the secret that is sent instead of a password. The same input must always give the same
 * result.
 *
 * @param address The account's e-mail address.
 * @param isNew Whether a new password is being set, so that a weak one can be refused.
 */
export type DerivePassword = (password: string, address: string, isNew: boolean) => Promise<string>
