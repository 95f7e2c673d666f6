import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import type { EncryptionEnc } from '../../../protocol/algorithms.ts'
import { invalid } from '../../errors/token-error.ts'

/** An encrypted plaintext and its authentication tag. */
export interface Encrypted {
  readonly ciphertext: Buffer
  readonly tag: Buffer
}

/**
 * One `enc` of RFC 7518 §5.1. Lengths are in bytes. Keys, IVs and tags must have these lengths. The
 * caller checks those that came from outside.
 */
export interface ContentEncryption {
  readonly keyLength: number
  readonly ivLength: number
  readonly tagLength: number
  readonly encrypt: (key: Buffer, iv: Buffer, aad: Buffer, plaintext: Buffer) => Encrypted
  /** @throws TokenError unless the tag authenticates the ciphertext, the IV and the header (`aad`). */
  readonly decrypt: (key: Buffer, iv: Buffer, aad: Buffer, encrypted: Encrypted) => Buffer
}

/** Each `enc` → its algorithm. */
export const CONTENT_ENCRYPTIONS: Readonly<Record<EncryptionEnc, ContentEncryption>> = {
  A128GCM: aesGcm('aes-128-gcm', 16),
  A256GCM: aesGcm('aes-256-gcm', 32),
  'A128CBC-HS256': aesCbcHmac('aes-128-cbc', 'sha256', 32),
  'A256CBC-HS512': aesCbcHmac('aes-256-cbc', 'sha512', 64),
}

/** AES GCM with a 96-bit IV and a 128-bit tag (RFC 7518 §5.3). */
function aesGcm(cipher: 'aes-128-gcm' | 'aes-256-gcm', keyLength: number): ContentEncryption {
  // Without it, node:crypto accepts a truncated tag.
  const options = { authTagLength: 16 }
  return {
    keyLength,
    ivLength: 12,
    tagLength: 16,
    encrypt(key, iv, aad, plaintext) {
      const encryption = createCipheriv(cipher, key, iv, options).setAAD(aad)
      const ciphertext = Buffer.concat([encryption.update(plaintext), encryption.final()])
      return { ciphertext, tag: encryption.getAuthTag() }
    },
    decrypt(key, iv, aad, { ciphertext, tag }) {
      const decryption = createDecipheriv(cipher, key, iv, options)
      decryption.setAAD(aad).setAuthTag(tag)
      const plaintext = decryption.update(ciphertext)
      return finish(plaintext, () => decryption.final())
    },
  }
}

/**
 * AES CBC with HMAC SHA-2 (RFC 7518 §5.2.2): the first half of the key authenticates, the second
 * encrypts.
 */
function aesCbcHmac(
  cipher: 'aes-128-cbc' | 'aes-256-cbc',
  hash: 'sha256' | 'sha512',
  keyLength: number,
): ContentEncryption {
  const half = keyLength / 2
  const tagOf = (key: Buffer, iv: Buffer, aad: Buffer, ciphertext: Buffer): Buffer => {
    // AL: the length of the additional authenticated data in bits (RFC 7518 §5.2.2.1, step 4).
    const al = Buffer.alloc(8)
    al.writeBigUInt64BE(BigInt(aad.length) * 8n)
    const hmac = createHmac(hash, key.subarray(0, half))
    return hmac.update(aad).update(iv).update(ciphertext).update(al).digest().subarray(0, half)
  }
  return {
    keyLength,
    ivLength: 16,
    tagLength: half,
    encrypt(key, iv, aad, plaintext) {
      const encryption = createCipheriv(cipher, key.subarray(half), iv)
      const ciphertext = Buffer.concat([encryption.update(plaintext), encryption.final()])
      return { ciphertext, tag: tagOf(key, iv, aad, ciphertext) }
    },
    decrypt(key, iv, aad, { ciphertext, tag }) {
      // Checks the tag before the padding. An answer that distinguished them would be an oracle.
      if (!timingSafeEqual(tag, tagOf(key, iv, aad, ciphertext))) throw invalid('decryption')
      const decryption = createDecipheriv(cipher, key.subarray(half), iv)
      const plaintext = decryption.update(ciphertext)
      return finish(plaintext, () => decryption.final())
    },
  }
}

/** Ends a decryption. This is the only step that can fail because of the input. */
function finish(plaintext: Buffer, final: () => Buffer): Buffer {
  let last: Buffer
  try {
    last = final()
  } catch {
    throw invalid('decryption')
  }
  return last.length === 0 ? plaintext : Buffer.concat([plaintext, last])
}
