import { createPublicKey, diffieHellman, type JsonWebKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { EncryptionCrv } from '../../../protocol/algorithms.ts'
import type { ConfirmationKey } from '../../../protocol/tokens.ts'
import { isCanonicalBase64url } from './base64url.ts'
import { invalid, type TokenReason } from '../../errors/token-error.ts'

/** The public members of an ephemeral key (RFC 7518 §6.2.1, RFC 8037 §2). */
export interface EphemeralKey {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y?: string
}

/** A coordinate has the full length of its curve, and one spelling (RFC 7518 §6.2.1.2). */
const coordinate = (bytes: number) =>
  z
    .string()
    .length(Math.ceil((bytes * 4) / 3))
    .refine(isCanonicalBase64url)

/** An import would obey the first two. The others are of private and symmetric keys. */
const REFUSED_MEMBERS = 'key_ops ext d k p q dp dq qi oth priv'.split(' ')
const refused = Object.fromEntries(REFUSED_MEMBERS.map((name) => [name, z.undefined().optional()]))

const ec = (crv: string, bytes: number): z.ZodType<EphemeralKey> =>
  z.object({
    kty: z.literal('EC'),
    crv: z.literal(crv),
    x: coordinate(bytes),
    y: coordinate(bytes),
    ...refused,
  })

const SCHEMAS: Readonly<Record<EncryptionCrv, z.ZodType<EphemeralKey>>> = {
  'P-256': ec('P-256', 32),
  'P-384': ec('P-384', 48),
  'P-521': ec('P-521', 66),
  X25519: z.object({
    kty: z.literal('OKP'),
    crv: z.literal('X25519'),
    x: coordinate(32),
    ...refused,
  }),
}

/**
 * The `epk` header parameter (RFC 7518 §4.6.1.1), reduced to the members that count: a key has one
 * form.
 *
 * @param curve The curve of the recipient's key.
 * @throws TokenError for anything but the shape of a public key on that curve. Whether the point lies
 *   on the curve shows in `sharedSecret`.
 */
export function parseEphemeralKey(epk: unknown, curve: EncryptionCrv): EphemeralKey {
  const key = SCHEMAS[curve].safeParse(epk).data
  if (key === undefined) throw invalid('epk')
  return key
}

/**
 * The shared secret Z of ECDH (RFC 7518 §4.6).
 *
 * @param privateKey A private key: `open` has made sure of it.
 * @param publicKey What ought to be a key on its curve.
 * @param reason Why the token is refused if it is not usable.
 * @throws TokenError for a key on another curve, and for a point that is not on the curve or of low
 *   order (RFC 7748 §6.1).
 */
export function sharedSecret(
  privateKey: KeyObject,
  publicKey: EphemeralKey | ConfirmationKey,
  reason: TokenReason = 'epk',
): Buffer {
  // The private key is ours and is good, so whatever fails here is the fault of the public one.
  try {
    const key = createPublicKey({ key: publicKey as JsonWebKey, format: 'jwk' })
    return diffieHellman({ privateKey, publicKey: key })
  } catch {
    throw invalid(reason)
  }
}
