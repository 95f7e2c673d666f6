import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import { ENCRYPTION_ALGS, type EncryptionEnc } from '../../protocol/algorithms.ts'
import { decodeUtf8, parseCompact } from './compact.ts'
import type { Agreement, KnownAgreements } from './jwe/known-agreements.ts'
import { open } from './jwe/open-jwe.ts'
import { invalid } from '../errors/token-error.ts'

/** A key that decrypts, bound to its one algorithm. */
export interface DecryptionKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: KeyObject
}

/** Finds the key for a header's `kid`, or the key to try if there is no `kid`. */
export type DecryptionKeys = (
  kid: string | undefined,
) => DecryptionKey | undefined | Promise<DecryptionKey | undefined>

export interface Decrypted {
  readonly plaintext: string
  /** The protected header, authenticated by the decryption (RFC 7516 §5.1 step 14). */
  readonly header: Readonly<Record<string, unknown>>
  readonly key: DecryptionKey
  /** The agreement that decrypted it, to be remembered once the token has passed every check. */
  readonly agreement: Agreement | undefined
}

const headerSchema = z.object({
  alg: z.string(),
  enc: z.string(),
  kid: z.string().optional(),
  cty: z.string().optional(),
})

interface DecryptOptions {
  /** The only accepted `cty`; by default, there must be none. */
  readonly cty?: string | undefined
  /** Known agreements, which save a key agreement. */
  readonly agreements?: KnownAgreements | undefined
  /** The most characters; by default, those of a token. */
  readonly maxLength?: number
}

/**
 * Decrypts a JWE that was encrypted to one of `keys`.
 *
 * @param encs The accepted `enc` values.
 * @throws TokenError; whatever `keys` throws.
 */
export async function decrypt(
  jwe: string,
  keys: DecryptionKeys,
  encs: readonly EncryptionEnc[],
  { cty, agreements, maxLength }: DecryptOptions = {},
): Promise<Decrypted> {
  const compact = parseCompact(jwe, 5, maxLength)
  const { header } = compact
  const known = headerSchema.safeParse(header).data
  if (known === undefined) throw invalid('jwe_header')
  if (known.cty !== cty) throw invalid('cty')
  const key = await keys(known.kid)
  if (key === undefined) throw invalid('jwe_kid')
  // Looked up in allow-lists that neither a key nor a caller can extend.
  const alg = ENCRYPTION_ALGS.find((name) => name === known.alg)
  if (alg === undefined || alg !== key.alg) throw invalid('jwe_alg')
  const enc = encs.find((name) => name === known.enc)
  if (enc === undefined) throw invalid('jwe_enc')
  const { plaintext, agreement } = open(compact, { ...key, alg }, enc, agreements)
  const text = decodeUtf8(plaintext)
  if (text === undefined) throw invalid('plaintext')
  return { plaintext: text, header, key, agreement }
}
