import type { EncryptionEnc } from '../../protocol/algorithms.ts'
import { AuthError } from '../errors.ts'
import type { EncryptionKey, ServerKey } from '../keys/server-keys.ts'

/** A recipient of tokens: the server itself, or another service on the list. */
export interface Reader {
  /** The address at which this client reaches it. */
  readonly baseUrl: string
  /** Its issuer or public URL, to which requests are bound. */
  readonly name: string
  /** Whether it is the server itself, which issues the tokens. */
  readonly issuesTokens: boolean
  /**
   * Its current encryption key, and the `enc` to use.
   *
   * @param crv The curve that the key must be on, if the token is key-bound.
   */
  key(crv?: string): Promise<ReadingKey>
  /** Fetches its keys again, and returns whether its encryption key or `enc` has changed. */
  hasRotated(used: ReadingKey, crv?: string): Promise<boolean>
}

export interface ReadingKey {
  readonly key: EncryptionKey
  readonly enc: EncryptionEnc
}

/**
 * The first encryption key, or the first on a curve.
 *
 * @throws AuthError `bad_answer` if there is none, because a bare JWS is never sent.
 */
export function encryptionKeyOf(
  keys: readonly ServerKey[],
  baseUrl: string,
  crv?: string,
): EncryptionKey {
  const found = keys.filter((key) => key.use === 'enc')
  const key = found.find((each) => crv === undefined || each.crv === crv)
  if (key !== undefined) return key
  const missing = crv === undefined ? 'encryption key' : `encryption key on ${crv}`
  throw new AuthError('bad_answer', `${baseUrl} publishes no ${missing}.`)
}

export const isSame = (one: ReadingKey, other: ReadingKey): boolean =>
  one.key.kid === other.key.kid && one.key.alg === other.key.alg && one.enc === other.enc
