import type { Algorithms } from '../keystore/algorithms.ts'
import type { Keystore } from '../keystore/keystore.ts'

/** What the server needs to make and to read tokens. */
export interface TokenContext {
  /** Every token's `iss` (RFC 8414 §2). */
  readonly issuer: string
  readonly algorithms: Algorithms
  readonly keystore: Keystore
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/** Whole seconds since the epoch: the NumericDate of RFC 7519 §2. */
export const nowInSeconds = ({ clock }: TokenContext): number => Math.floor(clock() / 1000)
