import type { ScopedState } from '../http/context.ts'
import type { KeyPair } from '../keystore/key-pair.ts'
import type { Logger } from '../log/logger.ts'
import type { AccessTokenClaims } from '../../protocol/tokens.ts'
import type { ReplayCache } from '../limits/replay-cache.ts'
import type { Fetch } from './published-keys.ts'

export interface ServiceAuthOptions {
  /** The auth server's ISSUER, under which its metadata and its keys are found. */
  readonly issuer: string
  /** This service's own public URL, as clients list it: requests are bound to it. */
  readonly url: string
  readonly logger: Logger
  /** `required` by default: what is captured on its way here is then good for nothing. */
  readonly requestBinding?: 'optional' | 'required'
  /**
   * What tokens are sealed to: a key pair, or the PEM of a private key. By default a fresh key with
   * every start; clients find out and seal again.
   */
  readonly encryptionKey?: KeyPair | string
  /** Whether a session that was alive a moment ago still is: see `createServiceAuth`. */
  readonly isAlive?: (claims: AccessTokenClaims) => boolean | Promise<boolean>
  /** Which bound requests have been seen. Processes that share an encryption key must share one too. */
  readonly replayCache?: ReplayCache
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: () => number
  /** Asks the auth server; the global one by default. */
  readonly fetch?: Fetch
}

/** What `bearer()` leaves for the handlers. */
export interface ClaimsState extends ScopedState {
  claims: AccessTokenClaims
}
