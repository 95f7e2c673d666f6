import type { EncryptionCrv } from '../../../protocol/algorithms.ts'
import { decodeBase64url, type Bytes } from '../../bytes.ts'
import { texts } from '../../json.ts'
import type { PublicJwk } from '../../keys/public-jwk.ts'
import { ecdhOn } from '../../keys/web-crypto.ts'
import { invalid } from '../../token-error.ts'

/** Bytes of a coordinate, and of a shared secret, on each curve (RFC 7518 §6.2.1.2, RFC 7748 §6.1). */
const COORDINATE_LENGTH: Readonly<Record<EncryptionCrv, number>> = {
  'P-256': 32,
  'P-384': 48,
  'P-521': 66,
  X25519: 32,
}

/**
 * Checks the `epk` header parameter (RFC 7518 §4.6.1.1). The import checks that the point is on the
 * curve.
 *
 * @param kty That of the recipient's key, like `crv`.
 * @throws AuthError `token_invalid` for anything but the minimal public key of that type.
 */
export function parseEphemeralKey(epk: unknown, kty: unknown, crv: EncryptionCrv): PublicJwk {
  const coordinates = kty === 'EC' ? (['x', 'y'] as const) : (['x'] as const)
  const key = texts(epk, 'kty', 'crv', ...coordinates)
  const isExact =
    key?.kty === kty &&
    key?.crv === crv &&
    coordinates.every((name) => decodeBase64url(key[name])?.length === COORDINATE_LENGTH[crv]) &&
    Object.keys(epk as object).length === Object.keys(key).length
  if (!isExact) throw invalid('epk')
  return key
}

/**
 * The shared secret Z of ECDH (RFC 7518 §4.6).
 *
 * @throws DOMException `OperationError` for a point of low order on X25519 (RFC 7748 §6.1).
 */
export async function sharedSecret(
  privateKey: CryptoKey,
  publicKey: CryptoKey,
  crv: EncryptionCrv,
): Promise<Bytes> {
  const ecdh = { name: ecdhOn(crv).name, public: publicKey }
  const bits = COORDINATE_LENGTH[crv] * 8
  return new Uint8Array(await crypto.subtle.deriveBits(ecdh, privateKey, bits))
}
