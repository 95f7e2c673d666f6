import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'

/** Unwrapping must yield it again, or the key is damaged (RFC 3394 §2.2.3.1). */
const INITIAL_VALUE = Buffer.alloc(8, 0xa6)

/** A key-encryption key of 16 or 32 bytes. A KeyObject, so that ciphers need no copy of it. */
export const toWrappingKey = (bytes: Buffer): KeyObject => createSecretKey(bytes)

/** AES Key Wrap (RFC 7518 §4.4, RFC 3394 §2.2.1). */
export function wrapKey(wrappingKey: KeyObject, key: Buffer): Buffer {
  const wrapping = createCipheriv(cipherFor(wrappingKey), wrappingKey, INITIAL_VALUE)
  return Buffer.concat([wrapping.update(key), wrapping.final()])
}

/**
 * AES Key Unwrap (RFC 3394 §2.2.2).
 *
 * @returns `undefined` if it was not wrapped under this key.
 */
export function unwrapKey(wrappingKey: KeyObject, wrapped: Buffer): Buffer | undefined {
  // OpenSSL accepts an empty input.
  if (wrapped.length === 0) return undefined
  const unwrapping = createDecipheriv(cipherFor(wrappingKey), wrappingKey, INITIAL_VALUE)
  // OpenSSL checks the integrity in either call.
  try {
    return Buffer.concat([unwrapping.update(wrapped), unwrapping.final()])
  } catch {
    return undefined
  }
}

const cipherFor = ({ symmetricKeySize = 0 }: KeyObject): string =>
  `id-aes${symmetricKeySize * 8}-wrap`
