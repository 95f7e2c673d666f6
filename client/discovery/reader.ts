import type { EncryptionEnc } from '../../protocol/algorithms.ts'
import { AuthError } from '../errors.ts'
import type { EncryptionKey, ServerKey } from './server-keys.ts'

/** A recipient of tokens: the server itself, or another service on the list. */
export interface Reader {
  /** The address at which this client reaches it. */
  readonly baseUrl: string
  /** Its issuer or public URL, to which requests are bound. */
  readonly name: string
  /** Whether it is the server itself, which issues the tokens. */
  readonly issuesTokens: boolean
  /** Its current encryption key, and the `enc` to use. */
  key(): Promise<ReadingKey>
  /** Fetches its keys again, and returns whether its encryption key or `enc` has changed. */
  hasRotated(used: ReadingKey): Promise<boolean>
}

export interface ReadingKey {
  readonly key: EncryptionKey
  readonly enc: EncryptionEnc
}

/** @throws AuthError `bad_answer` if there is none, because a bare JWS is never sent. */
export function encryptionKeyOf(keys: readonly ServerKey[], baseUrl: string): EncryptionKey {
  const key = keys.find((each) => each.use === 'enc')
  if (key !== undefined) return key
  throw new AuthError('bad_answer', `${baseUrl} publishes no encryption key.`)
}

export const isSame = (one: ReadingKey, other: ReadingKey): boolean =>
  one.key.kid === other.key.kid && one.key.alg === other.key.alg && one.enc === other.enc
