import { randomBytes } from 'node:crypto'
import { ENCRYPTION_ENCS } from '../keystore/algorithms.ts'
import type { TokenContext } from '../token/context.ts'
import { decrypt } from '../token/decrypt.ts'
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

/** Opens a stored key; `undefined` where the server no longer has the key that it was sealed to. */
export async function openDatabaseKey(
  { keystore }: TokenContext,
  sealed: string,
): Promise<string | undefined> {
  try {
    const { plaintext } = await decrypt(
      sealed,
      (kid) => keystore.decryptionKey(kid),
      // What is stored outlives a change of TOKEN_ENCRYPTION_ENC.
      ENCRYPTION_ENCS,
    )
    return plaintext
  } catch {
    return undefined
  }
}
