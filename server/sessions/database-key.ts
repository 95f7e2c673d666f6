import { randomBytes } from 'node:crypto'
import { decodeProtectedHeader } from 'jose'
import { ENCRYPTION_ALGS, ENCRYPTION_ENCS } from '../keystore/algorithms.ts'
import type { TokenContext } from '../token/context.ts'
import { decrypt, type DecryptionKey } from '../token/decrypt.ts'
import type { KeyPair } from '../keystore/key-pair.ts'
import { recipient } from '../keystore/keystore.ts'
import { encrypt } from '../token/encrypt.ts'

/**
 * The key that a client encrypts its local data with while a session lives. It is stored encrypted
 * to the server's own encryption key, so that a copy of the database alone opens nobody's data.
 */
export interface DatabaseKey {
  /** 32 random bytes, base64url. */
  readonly plain: string
  /** The same in a JWE: what is stored. */
  readonly sealed: string
}

export async function createDatabaseKey(context: TokenContext): Promise<DatabaseKey> {
  const plain = randomBytes(32).toString('base64url')
  const { keystore, algorithms } = context
  return { plain, sealed: await encrypt(plain, recipient(keystore), algorithms) }
}

/** What is stored outlives a change of the algorithm that its key is used with. */
function asStored(key: KeyPair | undefined, alg: string | undefined): DecryptionKey | undefined {
  const known = ENCRYPTION_ALGS.find((name) => name === alg)
  return key && known && { ...key, alg: known }
}

/** Opens a stored key; `undefined` where the server no longer has the key that it was sealed to. */
export async function openDatabaseKey(
  { keystore }: TokenContext,
  sealed: string,
): Promise<string | undefined> {
  try {
    const { plaintext } = await decrypt(
      sealed,
      (kid) => asStored(keystore.decryptionKey(kid), decodeProtectedHeader(sealed).alg),
      // What is stored outlives a change of TOKEN_ENCRYPTION_ENC.
      ENCRYPTION_ENCS,
    )
    return plaintext
  } catch {
    return undefined
  }
}

/**
 * The same key sealed to the server's current encryption key, or `undefined` where it is already or
 * cannot be opened any more. Done at every renewal, so that no living session needs a key that has
 * retired.
 */
export async function resealDatabaseKey(
  context: TokenContext,
  sealed: string,
): Promise<string | undefined> {
  const { keystore, algorithms } = context
  if (decodeProtectedHeader(sealed).kid === keystore.encryptionKey.kid) return undefined
  const plain = await openDatabaseKey(context, sealed)
  return plain && (await encrypt(plain, recipient(keystore), algorithms))
}
