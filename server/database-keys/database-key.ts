import { randomBytes } from 'node:crypto'
import { ENCRYPTION_ALGS, ENCRYPTION_ENCS } from '../../protocol/algorithms.ts'
import type { KeyPair } from '../keystore/key-pair.ts'
import { parseObject } from '../token/compact.ts'
import type { TokenContext } from '../token/token-context.ts'
import { decrypt } from '../token/decrypt.ts'
import { TokenError } from '../errors/token-error.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'
import { openFromStorage, sealForStorage, STORAGE_ALG } from './storage-encryption.ts'

/** Seconds. In this time, the server reads its key folder several times. */
const RETRY_AFTER = 5

/**
 * Creates the key that a client encrypts its local data with while a session lives: 32 random bytes,
 * base64url. It is stored encrypted under the server's own encryption key, so that a copy of the
 * database alone opens nobody's data.
 *
 * @returns The key, and the same key in a JWE, as it is stored.
 */
export function createDatabaseKey({ keystore }: TokenContext) {
  const plain = randomBytes(32).toString('base64url')
  return { plain, sealed: sealForStorage(plain, keystore.encryptionKey) }
}

/**
 * A stored key cannot be opened although its encryption key is available: the database is damaged.
 */
class DamagedDatabaseKeyError extends Error {
  override readonly name = 'DamagedDatabaseKeyError'

  constructor(cause: unknown) {
    super('A stored database key is damaged.', { cause })
  }
}

/**
 * Opens a stored key. Never changes anything.
 *
 * @returns `null` if the key that it was sealed to has been removed for good.
 * @throws UnavailableError if that key is not available now, but may be later.
 */
export async function openDatabaseKey(
  { keystore }: TokenContext,
  sealed: string,
): Promise<string | null> {
  const { kid, alg } = readHeader(sealed)
  const key = await keystore.storageKey(kid)
  if (key !== undefined) return decryptWith(key, alg, sealed)
  if (keystore.isRemoved(kid)) return null
  const cause = new Error(`The key folder has no key ${kid}.`)
  throw new UnavailableError('A database key cannot be opened yet.', RETRY_AFTER, { cause })
}

/**
 * Seals a stored key to the server's current encryption key if its present encryption key is about to
 * retire. Called at every renewal, so that no live session needs a retired key.
 *
 * @param sealed The key as it is stored.
 * @returns What to store in its place; `undefined` if it stays as it is, also if it is damaged.
 */
export async function resealDatabaseKey(
  context: TokenContext,
  sealed: string,
): Promise<string | undefined> {
  try {
    if (!context.keystore.isPrevious(readHeader(sealed).kid)) return undefined
    const plain = await openDatabaseKey(context, sealed)
    return plain === null ? undefined : sealForStorage(plain, context.keystore.encryptionKey)
  } catch (error) {
    // Reading it fails, but the session can still be renewed.
    if (error instanceof DamagedDatabaseKeyError) return undefined
    throw error
  }
}

function readHeader(sealed: string): { kid: string; alg: unknown } {
  const [head = ''] = sealed.split('.', 1)
  const { kid, alg } = parseObject(Buffer.from(head, 'base64url')) ?? {}
  if (typeof kid === 'string') return { kid, alg }
  throw new DamagedDatabaseKeyError('It names no key.')
}

async function decryptWith(key: KeyPair, storedAlg: unknown, sealed: string): Promise<string> {
  try {
    if (storedAlg === STORAGE_ALG) return openFromStorage(sealed, key)
    // Up to version 0.1, the key was stored like a token, sealed to the server's public key. Stored
    // keys outlive changes of the algorithm.
    const alg = ENCRYPTION_ALGS.find((name) => name === storedAlg)
    const { plaintext } = await decrypt(sealed, () => alg && { ...key, alg }, ENCRYPTION_ENCS)
    return plaintext
  } catch (error) {
    // Any other error is a fault of ours.
    throw error instanceof TokenError ? new DamagedDatabaseKeyError(error) : error
  }
}
