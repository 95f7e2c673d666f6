import { pickPublic, type PublicJwk } from './public-jwk.ts'

/** What Web Crypto calls ECDH on a curve. */
export const ecdhOn = (crv: string): EcKeyImportParams =>
  crv === 'X25519' ? { name: crv, namedCurve: crv } : { name: 'ECDH', namedCurve: crv }

/** RSAES-OAEP with SHA-256 and MGF1 with SHA-256 (RFC 7518 §4.3). */
export const RSA_OAEP = { name: 'RSA-OAEP', hash: 'SHA-256' }

/** Bits of an RSA key (RFC 7518 §3.3, §4.3). */
const MIN_MODULUS_LENGTH = 2048

/**
 * Imports a public key into Web Crypto.
 *
 * @throws DOMException `DataError` for a key that is malformed, weak, or of another type than the
 *   algorithm's.
 */
export async function importPublicKey(
  jwk: PublicJwk,
  algorithm: { readonly name: string },
  usages: KeyUsage[],
): Promise<CryptoKey> {
  const key = await crypto.subtle.importKey('jwk', pickPublic(jwk), algorithm, false, usages)
  const { modulusLength = MIN_MODULUS_LENGTH } = key.algorithm as Partial<RsaKeyAlgorithm>
  if (modulusLength >= MIN_MODULUS_LENGTH) return key
  throw new DOMException(`An RSA key of ${modulusLength} bits is too short.`, 'DataError')
}
