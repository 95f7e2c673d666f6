import type { KeyObject } from 'node:crypto'
import { RSA_MODULUS_BITS, type EncryptionCrv, type KeyType } from '../../protocol/algorithms.ts'

/** JWA's names of the NIST curves (RFC 7518 §6.2.1.1) → OpenSSL's. */
export const OPENSSL_CURVES = {
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
} as const satisfies Partial<Record<EncryptionCrv, string>>

export type NistCurve = keyof typeof OPENSSL_CURVES

export const isNistCurve = (crv: unknown): crv is NistCurve =>
  typeof crv === 'string' && Object.hasOwn(OPENSSL_CURVES, crv)

const NAMED_CURVES = new Map<string, EncryptionCrv>(
  Object.entries(OPENSSL_CURVES).map(([crv, name]) => [name, crv as NistCurve]),
)

/**
 * Says why `key` is not a usable key of type `required`, in words that complete "it is …". Returns
 * `undefined` if it is. A point off its curve never gets here: OpenSSL refuses to import it.
 */
export function mismatch(key: KeyObject, required: KeyType): string | undefined {
  const actual = describe(key)
  const wanted = required.crv === undefined ? required.kty : `${required.kty} ${required.crv}`
  if (actual !== wanted) return `of type ${actual}, not ${wanted}`
  if (required.kty !== 'RSA') return undefined
  const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < RSA_MODULUS_BITS.min || modulusLength > RSA_MODULUS_BITS.max) {
    return `an RSA key of ${modulusLength} bits, outside ${RSA_MODULUS_BITS.min} to ${RSA_MODULUS_BITS.max}`
  }
  // Exponent 1 would leave the plaintext as it is. All common tools generate 65537.
  if (publicExponent !== 65_537n) return 'an RSA key with a public exponent other than 65537'
  return undefined
}

function describe(key: KeyObject): string {
  switch (key.asymmetricKeyType) {
    case 'ec':
      return `EC ${curveName(key) ?? 'with an unnamed curve'}`
    case 'ed25519':
    case 'x25519':
      return `OKP ${curveName(key)}`
    case 'rsa':
      return 'RSA'
    default:
      return key.asymmetricKeyType ?? 'secret'
  }
}

/** The JWA name of a key's curve, or else OpenSSL's. `undefined` for a key without a curve. */
export function curveName(key: KeyObject): string | undefined {
  if (key.asymmetricKeyType === 'ed25519') return 'Ed25519'
  return curveOf(key) ?? key.asymmetricKeyDetails?.namedCurve
}

/** The curve of a key that works with ECDH-ES. `undefined` for any other key. */
export function curveOf(key: KeyObject): EncryptionCrv | undefined {
  if (key.asymmetricKeyType === 'x25519') return 'X25519'
  return NAMED_CURVES.get(key.asymmetricKeyDetails?.namedCurve ?? '')
}
