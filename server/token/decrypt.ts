import type { KeyObject } from 'node:crypto'
import { compactDecrypt } from 'jose'
import { z } from 'zod'
import type { EncryptionEnc } from '../../protocol/algorithms.ts'
import { decodeUtf8, parseHeader } from './compact.ts'
import { isEphemeralKey } from './ephemeral-key.ts'
import { invalid, refusedByJose } from './token-error.ts'

/** A key that decrypts, bound to its one algorithm. */
export interface DecryptionKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: KeyObject
}

/** Finds the key that a header's `kid` names, or the one to try where it names none. */
export type DecryptionKeys = (
  kid: string | undefined,
) => DecryptionKey | undefined | Promise<DecryptionKey | undefined>

export interface Decrypted {
  readonly plaintext: string
  /** The protected header, authenticated by the decryption (RFC 7516 §5.1 step 14). */
  readonly header: Readonly<Record<string, unknown>>
}

const headerSchema = z.object({
  alg: z.string(),
  enc: z.string(),
  kid: z.string().optional(),
  cty: z.string().optional(),
})

/**
 * Decrypts a JWE that was encrypted to one of `keys`.
 *
 * @param encs The `enc` values that are accepted.
 * @param cty The one `cty` that is accepted; `undefined` where none must be there.
 * @throws TokenError; whatever `keys` throws.
 */
export async function decrypt(
  jwe: string,
  keys: DecryptionKeys,
  encs: readonly EncryptionEnc[],
  cty?: string,
): Promise<Decrypted> {
  const header = parseHeader(jwe, 5)
  const known = headerSchema.safeParse(header).data
  if (known === undefined) throw invalid('jwe_header')
  if (known.cty !== cty) throw invalid('cty')
  const key = await keys(known.kid)
  if (key === undefined) throw invalid('jwe_kid')
  if (known.alg !== key.alg) throw invalid('jwe_alg')
  if (!encs.some((enc) => enc === known.enc)) throw invalid('jwe_enc')
  if (known.alg.startsWith('ECDH-ES') && !isEphemeralKey(header['epk'])) throw invalid('epk')
  // A point off its curve, or of low order, ends in the same error as a wrong key: jose goes on with
  // a random one, so that neither shows (RFC 7516 §11.5).
  const { plaintext } = await compactDecrypt(jwe, key.privateKey, {
    keyManagementAlgorithms: [key.alg],
    contentEncryptionAlgorithms: [...encs],
    maxDecompressedLength: 0,
  }).catch((error: unknown) => refusedByJose(error, 'decryption'))
  const text = decodeUtf8(plaintext)
  if (text === undefined) throw invalid('plaintext')
  return { plaintext: text, header }
}
