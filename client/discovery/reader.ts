import { AuthError } from '../errors.ts'
import type { ServerKey } from './server-keys.ts'

/** Somebody to whom tokens may be sealed: the server itself, or another service on the list. */
export interface Reader {
  /** Its address, as this client reaches it. */
  readonly baseUrl: string
  /** The name under which it knows itself; requests are bound to it. */
  readonly name: string
  /** Whether it is the server itself, from which renewed tokens come. */
  readonly issuesTokens: boolean
  /** Its current encryption key, and the `enc` to use. */
  key(): Promise<ReadingKey>
  /** Asks for its keys again: true if it reads with others now. */
  hasRotated(used: ReadingKey): Promise<boolean>
}

export interface ReadingKey {
  readonly key: ServerKey
  readonly enc: string
}

/** @throws AuthError `bad_answer` where there is none: a bare JWS is never sent. */
export function encryptionKeyOf(keys: readonly ServerKey[], baseUrl: string): ServerKey {
  const key = keys.find(({ use }) => use === 'enc')
  if (key !== undefined) return key
  throw new AuthError('bad_answer', `${baseUrl} publishes no encryption key.`)
}

export const isSame = (one: ReadingKey, other: ReadingKey): boolean =>
  one.key.kid === other.key.kid && one.key.alg === other.key.alg && one.enc === other.enc
