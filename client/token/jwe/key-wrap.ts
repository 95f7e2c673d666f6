import type { Bytes } from '../../bytes.ts'

/**
 * Web Crypto wraps only key objects. An HMAC key may have any length, so it can represent any key.
 */
const ANY_KEY = { name: 'HMAC', hash: 'SHA-256' }

/** A key-encryption key of 16 or 32 bytes. It cannot be exported. */
export const importWrappingKey = (
  bytes: Bytes,
  usage: 'wrapKey' | 'unwrapKey',
): Promise<CryptoKey> => crypto.subtle.importKey('raw', bytes, 'AES-KW', false, [usage])

/** AES Key Wrap (RFC 7518 §4.4). */
export async function wrapKey(wrappingKey: CryptoKey, bytes: Bytes): Promise<Bytes> {
  const key = await crypto.subtle.importKey('raw', bytes, ANY_KEY, true, ['sign'])
  return new Uint8Array(await crypto.subtle.wrapKey('raw', key, wrappingKey, 'AES-KW'))
}

/**
 * AES Key Unwrap.
 *
 * @throws DOMException `OperationError` or `DataError` if it was not wrapped under this key.
 */
export async function unwrapKey(wrappingKey: CryptoKey, wrapped: Bytes): Promise<Bytes> {
  const { subtle } = crypto
  const usages: KeyUsage[] = ['sign']
  const key = await subtle.unwrapKey('raw', wrapped, wrappingKey, 'AES-KW', ANY_KEY, true, usages)
  return new Uint8Array(await subtle.exportKey('raw', key))
}
