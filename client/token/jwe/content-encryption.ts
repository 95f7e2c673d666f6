import type { EncryptionEnc } from '../../../protocol/algorithms.ts'
import { concat, type Bytes } from '../../bytes.ts'
import { invalid, invalidIfRefused } from '../../token-error.ts'

/** An encrypted plaintext and its authentication tag. */
export interface Encrypted {
  readonly ciphertext: Bytes
  readonly tag: Bytes
}

/**
 * One `enc` of RFC 7518 §5.1. Lengths are in bytes. The caller makes sure that the key, the IV and the
 * tag have them.
 */
export interface ContentEncryption {
  readonly keyLength: number
  readonly ivLength: number
  readonly tagLength: number
  readonly encrypt: (key: Bytes, iv: Bytes, aad: Bytes, plaintext: Bytes) => Promise<Encrypted>
  /** @throws AuthError `token_invalid` unless the tag authenticates ciphertext, IV and header (`aad`). */
  readonly decrypt: (key: Bytes, iv: Bytes, aad: Bytes, encrypted: Encrypted) => Promise<Bytes>
}

/** Each `enc` → its algorithm. */
export const CONTENT_ENCRYPTIONS: Readonly<Record<EncryptionEnc, ContentEncryption>> = {
  A128GCM: /* @__PURE__ */ aesGcm(16),
  A256GCM: /* @__PURE__ */ aesGcm(32),
  'A128CBC-HS256': /* @__PURE__ */ aesCbcHmac('SHA-256', 32),
  'A256CBC-HS512': /* @__PURE__ */ aesCbcHmac('SHA-512', 64),
}

/** AES GCM with a 96-bit IV and a 128-bit tag (RFC 7518 §5.3). */
function aesGcm(keyLength: number): ContentEncryption {
  const name = 'AES-GCM'
  const tagLength = 16
  const importKey = (key: Bytes, usage: KeyUsage) =>
    crypto.subtle.importKey('raw', key, name, false, [usage])
  return {
    keyLength,
    ivLength: 12,
    tagLength,
    async encrypt(key, iv, additionalData, plaintext) {
      const algorithm = { name, iv, additionalData }
      const encrypting = await importKey(key, 'encrypt')
      // Web Crypto appends the tag to the ciphertext.
      const both = new Uint8Array(await crypto.subtle.encrypt(algorithm, encrypting, plaintext))
      return { ciphertext: both.slice(0, -tagLength), tag: both.slice(-tagLength) }
    },
    async decrypt(key, iv, additionalData, { ciphertext, tag }) {
      const decrypting = await importKey(key, 'decrypt')
      const plaintext = await crypto.subtle
        .decrypt({ name, iv, additionalData }, decrypting, concat(ciphertext, tag))
        .catch(invalidIfRefused('decryption'))
      return new Uint8Array(plaintext)
    },
  }
}

/**
 * AES CBC with HMAC SHA-2 (RFC 7518 §5.2.2): the first half of the key authenticates, the second
 * encrypts.
 */
function aesCbcHmac(hash: 'SHA-256' | 'SHA-512', keyLength: number): ContentEncryption {
  const name = 'AES-CBC'
  const half = keyLength / 2
  const importKey = (key: Bytes, usage: KeyUsage) =>
    crypto.subtle.importKey('raw', key.slice(half), name, false, [usage])
  async function tagOf(key: Bytes, iv: Bytes, aad: Bytes, ciphertext: Bytes): Promise<Bytes> {
    const hmac = { name: 'HMAC', hash }
    const mac = await crypto.subtle.importKey('raw', key.slice(0, half), hmac, false, ['sign'])
    // AL: the length of the additional authenticated data in bits (RFC 7518 §5.2.2.1, step 4).
    const al = new Uint8Array(8)
    new DataView(al.buffer).setBigUint64(0, BigInt(aad.length * 8))
    const signature = await crypto.subtle.sign('HMAC', mac, concat(aad, iv, ciphertext, al))
    return new Uint8Array(signature).slice(0, half)
  }
  return {
    keyLength,
    ivLength: 16,
    tagLength: half,
    async encrypt(key, iv, aad, plaintext) {
      const encrypting = await importKey(key, 'encrypt')
      const encrypted = await crypto.subtle.encrypt({ name, iv }, encrypting, plaintext)
      const ciphertext = new Uint8Array(encrypted)
      return { ciphertext, tag: await tagOf(key, iv, aad, ciphertext) }
    },
    async decrypt(key, iv, aad, { ciphertext, tag }) {
      // Checks the tag before the padding. An answer that distinguished them would be an oracle.
      if (!isEqual(tag, await tagOf(key, iv, aad, ciphertext))) throw invalid('decryption')
      const decrypting = await importKey(key, 'decrypt')
      const plaintext = await crypto.subtle
        .decrypt({ name, iv }, decrypting, ciphertext)
        .catch(invalidIfRefused('decryption'))
      return new Uint8Array(plaintext)
    },
  }
}

/** Compares two tags of the same length, in a time that does not depend on where they differ. */
const isEqual = (one: Bytes, other: Bytes): boolean =>
  one.reduce((difference, byte, index) => difference | (byte ^ (other[index] ?? 0)), 0) === 0
