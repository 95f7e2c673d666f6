import type { Algorithms, EncryptionEnc } from '../../protocol/algorithms.ts'
import type { Keystore } from '../keystore/keystore.ts'
import type { DecryptionKeys } from './decrypt.ts'
import { createAgreements, type Agreements } from './jwe/agreements.ts'
import { createProofKeys, type ProofKeys } from './proof-keys.ts'
import { createVerifiedTokens, type VerifiedTokens } from './verified-tokens.ts'
import type { VerificationKeys } from './verify.ts'

/** What it takes to read tokens: the server does, and other services that are sent its tokens. */
export interface ReadingContext {
  /** Every token's `iss` (RFC 8414 §2). */
  readonly issuer: string
  /** The `enc` that is accepted, or each of them. */
  readonly algorithms: { readonly encryptionEnc: EncryptionEnc | readonly EncryptionEnc[] }
  readonly keystore: {
    readonly decryptionKey: DecryptionKeys
    readonly verificationKey: VerificationKeys
  }
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Without them every token costs a key agreement and a signature. */
  readonly caches?: TokenCaches
}

/** What saves work on tokens that come again. None is ever a way around a check. */
export interface TokenCaches {
  readonly agreements: Agreements
  readonly verified: VerifiedTokens
  readonly proofKeys: ProofKeys
}

/** @param clock Milliseconds since the epoch. */
export const createTokenCaches = (clock: () => number): TokenCaches => ({
  agreements: createAgreements(clock),
  verified: createVerifiedTokens(),
  proofKeys: createProofKeys(),
})

/** What the server needs to make and to read tokens. */
export interface TokenContext extends ReadingContext {
  readonly algorithms: Algorithms
  readonly keystore: Keystore
}

/** Whole seconds since the epoch: the NumericDate of RFC 7519 §2. */
export const nowInSeconds = ({ clock }: ReadingContext): number => Math.floor(clock() / 1000)
