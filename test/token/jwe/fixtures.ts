/** Keys of every type, and tokens that only a forger would make. */
import {
  diffieHellman,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  constants,
  type KeyObject,
} from 'node:crypto'
import { compactDecrypt } from 'jose'
import {
  ENCRYPTION_ALGS,
  ENCRYPTION_CRVS,
  ENCRYPTION_ENCS,
  isWrapping,
  WRAPPING_KEY_LENGTH,
  type EncryptionAlg,
  type EncryptionCrv,
  type EncryptionEnc,
} from '../../../protocol/algorithms.ts'
import { parseCompact } from '../../../server/token/compact.ts'
import type { KnownAgreements } from '../../../server/token/jwe/known-agreements.ts'
import { CONTENT_ENCRYPTIONS } from '../../../server/token/jwe/content-encryption.ts'
import { deriveKey } from '../../../server/token/jwe/key-derivation.ts'
import { toWrappingKey, wrapKey } from '../../../server/token/jwe/key-wrap.ts'
import { open, type OpeningKey } from '../../../server/token/jwe/open-jwe.ts'
import type { Recipient } from '../../../server/token/jwe/seal-jwe.ts'
import { TokenError } from '../../../server/errors/token-error.ts'
import { ecPair, x25519Pair } from '../../support/key-pairs.ts'
import { base64url } from '../fixtures.ts'

export type TestKey = OpeningKey & Recipient & { readonly publicKey: KeyObject }
/** `undefined` for RSA. */
export type Crv = EncryptionCrv | undefined

export const KEY_KINDS = ENCRYPTION_ALGS.flatMap((alg): [EncryptionAlg, Crv][] =>
  alg === 'RSA-OAEP-256' ? [[alg, undefined]] : ENCRYPTION_CRVS.map((crv) => [alg, crv]),
)
/** Every combination that the configuration allows. */
export const COMBINATIONS = KEY_KINDS.flatMap(([alg, crv]) =>
  ENCRYPTION_ENCS.map((enc): [EncryptionAlg, Crv, EncryptionEnc] => [alg, crv, enc]),
)

export function generatePair(crv: Crv) {
  if (crv === undefined) return generateKeyPairSync('rsa', { modulusLength: 2048 })
  return crv === 'X25519' ? x25519Pair() : ecPair(crv)
}

export const createKey = (alg: EncryptionAlg, crv: Crv): TestKey => ({
  kid: `${crv ?? 'RSA'} key`,
  alg,
  ...generatePair(crv),
})

const keys = new Map<Crv, TestKey>()
/** One key of each type, made once: RSA keys take long. */
export function keyFor(alg: EncryptionAlg, crv: Crv): TestKey {
  const key = keys.get(crv) ?? createKey(alg, crv)
  keys.set(crv, key)
  return { ...key, alg }
}

/** Opens a JWE as decrypt.ts does, after the same checks. */
export function openJwe(jwe: string, key: OpeningKey, agreements?: KnownAgreements) {
  const compact = parseCompact(jwe, 5)
  const { header } = compact
  const enc = ENCRYPTION_ENCS.find((name) => name === header['enc'])
  if (header['alg'] !== key.alg || enc === undefined)
    throw new TokenError('token_invalid', 'jwe_alg')
  return open(compact, key, enc, agreements)
}

export const textOf = (jwe: string, key: OpeningKey, agreements?: KnownAgreements): string =>
  openJwe(jwe, key, agreements).plaintext.toString()

/** Why `work` is refused; `undefined` if it is not. Anything but a TokenError fails the test. */
export function reasonOf(work: () => unknown): string | undefined {
  try {
    work()
  } catch (error) {
    if (error instanceof TokenError) return error.reason
    throw error
  }
  return undefined
}

/** What jose reads, with the same allow-lists. */
export async function joseOpen(jwe: string, { alg, privateKey }: OpeningKey): Promise<string> {
  const { plaintext } = await compactDecrypt(jwe, privateKey, {
    keyManagementAlgorithms: [alg],
    contentEncryptionAlgorithms: [...ENCRYPTION_ENCS],
    maxDecompressedLength: 0,
  })
  return new TextDecoder().decode(plaintext)
}

export interface Forgery {
  readonly plaintext?: string
  /** Maps the correct header to the one to send, which the cryptography follows as far as it can. */
  readonly header?: (header: Record<string, unknown>) => Record<string, unknown>
  readonly ephemeral?: { privateKey: KeyObject; publicKey: KeyObject }
  /** Instead of the shared secret. */
  readonly secret?: Buffer
  readonly contentKey?: Buffer
  /** Goes into the encrypted key instead of the key that the content is encrypted with. */
  readonly wrappedKey?: Buffer
  readonly encryptedKey?: Buffer
  readonly iv?: Buffer
}

/** A JWE with a valid tag, whatever its header says, so that only an explicit check can refuse it. */
export function forgeJwe(
  { kid, alg, publicKey }: TestKey,
  enc: EncryptionEnc,
  { plaintext = 'text', header = (due) => due, ...given }: Forgery = {},
): string {
  const { keyLength, ivLength, encrypt } = CONTENT_ENCRYPTIONS[enc]
  const head = { alg, enc, kid }
  let { contentKey = randomBytes(keyLength), encryptedKey } = given
  let sent: Record<string, unknown>
  if (alg === 'RSA-OAEP-256') {
    sent = header(head)
    encryptedKey ??= encryptOaep(publicKey, given.wrappedKey ?? contentKey)
  } else {
    const ephemeral = given.ephemeral ?? pairLike(publicKey)
    sent = header({ ...head, epk: ephemeral.publicKey.export({ format: 'jwk' }) })
    const agreed = diffieHellman({ privateKey: ephemeral.privateKey, publicKey })
    const { secret = agreed } = given
    const party = { apu: lenient(sent['apu']), apv: lenient(sent['apv']) }
    if (isWrapping(alg)) {
      const length = WRAPPING_KEY_LENGTH[alg]
      const wrappingKey = toWrappingKey(deriveKey(secret, { algorithm: alg, length, ...party }))
      encryptedKey ??= wrapKey(wrappingKey, given.wrappedKey ?? contentKey)
    } else {
      contentKey = deriveKey(secret, { algorithm: enc, length: keyLength, ...party })
    }
  }
  const { iv = randomBytes(ivLength) } = given
  const first = base64url(JSON.stringify(sent))
  const { ciphertext, tag } = encrypt(contentKey, iv, Buffer.from(first), Buffer.from(plaintext))
  const rest = [encryptedKey ?? Buffer.alloc(0), iv, ciphertext, tag]
  return [first, ...rest.map((part) => base64url(part))].join('.')
}

const lenient = (value: unknown) =>
  typeof value === 'string' ? Buffer.from(value, 'base64url') : undefined

const encryptOaep = (key: KeyObject, contentKey: Buffer): Buffer =>
  publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, contentKey)

function pairLike({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject) {
  return asymmetricKeyType === 'x25519' ? x25519Pair() : ecPair(asymmetricKeyDetails!.namedCurve!)
}

/**
 * X25519 points of low order, little-endian. The secret is zero whatever the private key, so anybody
 * could seal with it (RFC 7748 §6.1).
 */
export const LOW_ORDER_POINTS = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  // The two of order 8; p - 1, p and p + 1.
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
].map((hex) => ({ kty: 'OKP', crv: 'X25519', x: Buffer.from(hex, 'hex').toString('base64url') }))
