import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type ECDH,
  type JsonWebKeyInput,
  type KeyObject,
} from 'node:crypto'
import { z } from 'zod'
import type { EncryptionCrv } from '../../../protocol/algorithms.ts'
import type { ConfirmationKey } from '../../../protocol/tokens.ts'
import { AS_DER } from '../../keystore/generate-key.ts'
import { curveOf, isNistCurve, OPENSSL_CURVES } from '../../keystore/key-type.ts'
import { isCanonicalBase64url } from './base64url.ts'
import { invalid, type TokenReason } from '../../errors/token-error.ts'

/** The public members of an ephemeral key (RFC 7518 §6.2.1, RFC 8037 §2). */
export type EphemeralKey = ConfirmationKey

/** A JWK for node:crypto. Newer versions of its types have another name for it. */
export type Jwk = JsonWebKeyInput['key']

/** A coordinate must have the full length of its curve and be canonical (RFC 7518 §6.2.1.2). */
const coordinate = (bytes: number) =>
  z
    .string()
    .length(Math.ceil((bytes * 4) / 3))
    .refine(isCanonicalBase64url)

/** jose obeys the first two. The others are of private and symmetric keys. */
const REFUSED_MEMBERS = 'key_ops ext d k p q dp dq qi oth priv'.split(' ')
const refused = Object.fromEntries(REFUSED_MEMBERS.map((name) => [name, z.undefined().optional()]))

const schema = (kty: string, crv: string, bytes: number) =>
  z.object({ kty: z.literal(kty), crv: z.literal(crv), x: coordinate(bytes), ...refused })

const ec = (crv: string, bytes: number) => schema('EC', crv, bytes).extend({ y: coordinate(bytes) })

const SCHEMAS: Readonly<Record<EncryptionCrv, z.ZodType<EphemeralKey>>> = {
  'P-256': ec('P-256', 32),
  'P-384': ec('P-384', 48),
  'P-521': ec('P-521', 66),
  X25519: schema('OKP', 'X25519', 32),
}

/**
 * The `epk` header parameter (RFC 7518 §4.6.1.1), reduced to the members that matter, so that each
 * key has only one form.
 *
 * @param curve The curve of the recipient's key.
 * @throws TokenError for anything but the shape of a public key on that curve. `sharedSecret`
 *   checks that the point is on the curve.
 */
export function parseEphemeralKey(epk: unknown, curve: EncryptionCrv): EphemeralKey {
  const key = SCHEMAS[curve].safeParse(epk).data
  if (key === undefined) throw invalid('epk')
  return key
}

/**
 * Makes an ephemeral key on the curve of a recipient's key, and agrees with that key (RFC 7518 §4.6).
 * The private half is discarded. Whether several JWEs share the agreement is decided in seal-jwe.ts.
 *
 * @param recipient A public JWK. Its point is not imported, which would take nearly as long as the
 *   agreement.
 * @throws Error for a key that ECDH-ES cannot use: a fault of ours, which registration excludes.
 */
export function agreeWith(recipient: Jwk): { epk: EphemeralKey; secret: Buffer } {
  const { kty, crv, x = '', y = '' } = recipient
  if (kty === 'EC' && isNistCurve(crv)) {
    const ecdh = createECDH(OPENSSL_CURVES[crv])
    const point = ecdh.generateKeys()
    const middle = (point.length + 1) / 2
    const coordinates = [point.subarray(1, middle), point.subarray(middle)]
    const [ownX = '', ownY = ''] = coordinates.map((bytes) => bytes.toString('base64url'))
    return { epk: { kty, crv, x: ownX, y: ownY }, secret: ecdh.computeSecret(pointOf(x, y)) }
  }
  if (crv !== 'X25519') {
    throw new Error('ECDH-ES cannot use the key: it is on no curve of ours.')
  }
  const own = generateKeyPairSync('x25519', AS_DER)
  const privateKey = createPrivateKey({ key: own.privateKey, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey({ key: recipient, format: 'jwk' })
  // The key itself comes last (RFC 8410 §4).
  const ownX = own.publicKey.subarray(-32).toString('base64url')
  return {
    epk: { kty: 'OKP', crv, x: ownX },
    secret: diffieHellman({ privateKey, publicKey }),
  }
}

/**
 * The shared secret Z of ECDH (RFC 7518 §4.6).
 *
 * @param privateKey A private key, as `open` has checked.
 * @param publicKey A key that should be on its curve.
 * @param reason Why the token is refused if the key is unusable.
 * @throws TokenError for a key on another curve, and for a point that is not on the curve or of low
 *   order (RFC 7748 §6.1).
 */
export function sharedSecret(
  privateKey: KeyObject,
  publicKey: ConfirmationKey,
  reason: TokenReason = 'epk',
): Buffer {
  const { crv, x, y = '' } = publicKey
  if (crv !== curveOf(privateKey)) throw invalid(reason)
  const ecdh = crv === 'X25519' ? undefined : ecdhOf(privateKey)
  // The private key is ours and valid, so any failure is caused by the public key.
  try {
    if (ecdh !== undefined) return ecdh.computeSecret(pointOf(x, y))
    const key = createPublicKey({ key: publicKey as Jwk, format: 'jwk' })
    return diffieHellman({ privateKey, publicKey: key })
  } catch {
    throw invalid(reason)
  }
}

/** An uncompressed point (SEC 1 §2.3.3). */
const pointOf = (x: string, y: string): Buffer =>
  Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])

const imported = new WeakMap<KeyObject, ECDH>()

/**
 * Prepares a private key to agree with points: it checks that they are on its curve. To import a point
 * as a key first would take nearly as long as the agreement.
 */
function ecdhOf(privateKey: KeyObject): ECDH {
  let ecdh = imported.get(privateKey)
  if (ecdh === undefined) {
    const { d = '' } = privateKey.export({ format: 'jwk' })
    ecdh = createECDH(privateKey.asymmetricKeyDetails?.namedCurve ?? '')
    ecdh.setPrivateKey(d, 'base64url')
    imported.set(privateKey, ecdh)
  }
  return ecdh
}
