/**
 * For services on any framework that accept this server's access tokens: see `createFetchAuth` for
 * those that handle a Fetch `Request`, and `createVerifier` for all others. It loads no Koa.
 *
 * @module
 */
export {
  createVerifier,
  type Refusal,
  type Verdict,
  type Verifier,
  type VerifyOptions,
} from './create-verifier.ts'
export {
  createFetchAuth,
  type FetchAuth,
  type FetchAuthOptions,
  type FetchVerdict,
} from './fetch-auth.ts'
export type { IntrospectionOptions, ServiceAuthOptions } from './service-options.ts'
export type { ServiceRequest } from './service-request.ts'
export type { Fetch } from './published-keys.ts'
export type { KeyPair } from '../keystore/key-pair.ts'
export { createLogger, type Logger } from '../log/logger.ts'
export { StartupError } from '../errors/startup-error.ts'
export type { ClaimsOf } from './authenticator.ts'
export type { AccessTokenClaims, ServiceTokenClaims } from '../../protocol/tokens.ts'
export { createReplayCache, type ReplayCache } from '../limits/replay-cache.ts'
