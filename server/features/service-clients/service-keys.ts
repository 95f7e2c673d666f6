import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import { z } from 'zod'
import {
  ENCRYPTION_CURVES,
  encryptionAlgsFor,
  requiredKeyType,
  SIGNING_ALGS,
  SIGNING_KEY_TYPES,
  type Algorithms,
  type EncryptionAlg,
  type KeyType,
  type KeyUse,
  type SigningAlg,
} from '../../../protocol/algorithms.ts'
import { StartupError } from '../../errors/startup-error.ts'
import { importPublicKey, PublicKeyError } from '../../keystore/public-key.ts'

/** The public members of a key, and the one algorithm that it is used with (RFC 8725 §3.1). */
export type PublicKeyOf<Alg extends string> = JWK & { readonly alg: Alg }

export interface ServiceKeys {
  /** The thumbprint of its encryption key: the client_id. */
  readonly id: string
  /** What its assertions are verified with. */
  readonly signingKey: PublicKeyOf<SigningAlg>
  /** What its tokens are encrypted to. Always EC or OKP: there is no proof with RSA. */
  readonly encryptionKey: PublicKeyOf<EncryptionAlg>
}

const setSchema = z.object({ keys: z.array(z.unknown()) })
const keySchema = z.looseObject({
  kty: z.string(),
  use: z.enum(['sig', 'enc']),
  crv: z.string().optional(),
  alg: z.string().optional(),
})

type Described = z.infer<typeof keySchema>

const NAMES: Readonly<Record<KeyUse, string>> = { sig: 'signing', enc: 'encryption' }

/**
 * Checks the JWK Set of a service client (RFC 7517 §5): one public signing key, and one public
 * encryption key that the server's tokens can be encrypted to.
 *
 * @throws StartupError with everything that is wrong, a sentence each.
 */
export async function checkServiceKeys(set: unknown, algorithms: Algorithms): Promise<ServiceKeys> {
  const keys = setSchema.safeParse(set).data?.keys
  if (keys === undefined) throw new StartupError(['It is not a JWK Set: an object with "keys".'])
  const described = keys.map((key) => keySchema.safeParse(key).data)
  const malformed = described.flatMap((key, index) =>
    key === undefined
      ? [`Key ${index + 1} is not a JWK with a "kty", and "use": "sig" or "use": "enc".`]
      : [],
  )
  if (malformed.length > 0) throw new StartupError(malformed)
  const ofUse = (use: KeyUse) => described.filter((key) => key?.use === use)
  const wrong = (['sig', 'enc'] as const).flatMap((use) =>
    ofUse(use).length === 1
      ? []
      : [`It has ${ofUse(use).length} ${NAMES[use]} keys ("use": "${use}"), and must have one.`],
  )
  if (wrong.length > 0) throw new StartupError(wrong)
  const [[sig], [enc]] = [ofUse('sig'), ofUse('enc')] as [[Described], [Described]]
  return importBoth(sig, enc, algorithms)
}

async function importBoth(
  sig: Described,
  enc: Described,
  algorithms: Algorithms,
): Promise<ServiceKeys> {
  const settled = await Promise.allSettled([
    importAs(sig, signingAlgOf),
    importAs(enc, (key) => encryptionAlgOf(key, algorithms)),
  ] as const)
  const problems = settled.flatMap((result, index) => {
    if (result.status === 'fulfilled') return []
    const error: unknown = result.reason
    if (!(error instanceof PublicKeyError)) throw error
    return [`The ${NAMES[index === 0 ? 'sig' : 'enc']} key ${error.message}.`]
  })
  const [signing, encryption] = settled
  if (signing.status === 'rejected' || encryption.status === 'rejected') {
    throw new StartupError(problems)
  }
  if (signing.value.kid === encryption.value.kid) {
    throw new StartupError(['The two keys are the same. Each must be used for one thing.'])
  }
  return {
    id: encryption.value.kid,
    signingKey: signing.value.jwk,
    encryptionKey: encryption.value.jwk,
  }
}

async function importAs<Alg extends string>(
  key: Described,
  algorithmOf: (key: Described) => readonly [alg: Alg, type: KeyType],
): Promise<{ kid: string; jwk: PublicKeyOf<Alg> }> {
  if (key.kty === 'oct') throw new PublicKeyError('is symmetric: a secret that two would share')
  const [alg, type] = algorithmOf(key)
  const { kid, publicKey } = await importPublicKey(key as JWK, type)
  return { kid, jwk: { ...(publicKey.export({ format: 'jwk' }) as JWK), alg } }
}

function signingAlgOf({ kty, crv, alg }: Described): readonly [SigningAlg, KeyType] {
  const fitting = SIGNING_ALGS.filter((name) => {
    const type: KeyType = SIGNING_KEY_TYPES[name]
    return type.kty === kty && (type.crv === undefined || type.crv === crv)
  })
  const [only, ...others] = fitting
  if (only === undefined) {
    throw new PublicKeyError(`fits none of the accepted algorithms: ${SIGNING_ALGS.join(', ')}`)
  }
  if (alg === undefined && others.length > 0) {
    throw new PublicKeyError(`needs an "alg": ${fitting.join(' or ')}`)
  }
  const chosen = fitting.find((name) => name === (alg ?? only))
  if (chosen === undefined) throw new PublicKeyError(`must have the "alg" ${fitting.join(' or ')}`)
  return [chosen, SIGNING_KEY_TYPES[chosen]]
}

/** Sender and recipient of a key-bound token need keys on one curve: the server's, if its key has one. */
function encryptionAlgOf(
  { kty, crv, alg }: Described,
  algorithms: Algorithms,
): readonly [EncryptionAlg, KeyType] {
  const types: readonly KeyType[] = Object.values(ENCRYPTION_CURVES)
  const own = requiredKeyType('enc', algorithms)
  const type = own.kty === 'RSA' ? types.find((each) => each.kty === kty && each.crv === crv) : own
  if (type === undefined || kty === 'RSA') {
    throw new PublicKeyError('must be an EC or OKP key: service tokens are key-bound')
  }
  const fitting = encryptionAlgsFor(type.kty)
  const fallback = fitting.find((name) => name === algorithms.encryptionAlg) ?? fitting[0]
  const chosen = fitting.find((name) => name === (alg ?? fallback))
  if (chosen === undefined) {
    throw new PublicKeyError(`must have one of these as its "alg": ${fitting.join(', ')}`)
  }
  return [chosen, type]
}

/** A key that `checkServiceKeys` has checked. */
export const toPublicKey = (jwk: JWK): KeyObject =>
  createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
