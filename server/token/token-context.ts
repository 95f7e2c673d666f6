import type { Algorithms, EncryptionEnc } from '../../protocol/algorithms.ts'
import type { Keystore } from '../keystore/keystore.ts'
import type { DecryptionKeys } from './decrypt.ts'
import { createKnownAgreements } from './jwe/known-agreements.ts'
import { createProofKeys } from './request-proof.ts'
import { createVerifiedTokens } from './verified-tokens.ts'
import type { VerificationKeys } from './verify.ts'

/** What the server, and other services that accept its tokens, need to read tokens. */
export interface ReadingContext {
  /** Every token's `iss` (RFC 8414 §2). */
  readonly issuer: string
  /** The accepted `enc`, or a list of them. */
  readonly algorithms: { readonly encryptionEnc: EncryptionEnc | readonly EncryptionEnc[] }
  readonly keystore: {
    readonly decryptionKey: DecryptionKeys
    readonly verificationKey: VerificationKeys
  }
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Without caches, every token costs a key agreement and the check of a signature. */
  readonly caches?: ReturnType<typeof createTokenCaches>
}

/** Caches that save work on repeated tokens. They never change whether a token is accepted. */
export const createTokenCaches = () => ({
  agreements: createKnownAgreements(),
  verified: createVerifiedTokens(),
  proofKeys: createProofKeys(),
})

/** What the server needs to issue and read tokens. */
export interface TokenContext extends ReadingContext {
  readonly algorithms: Algorithms
  readonly keystore: Keystore
}

/** Whole seconds since the epoch: the NumericDate of RFC 7519 §2. */
export const nowInSeconds = ({ clock }: ReadingContext): number => Math.floor(clock() / 1000)
