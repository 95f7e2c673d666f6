import type { KeyPair } from '../keystore/key-pair.ts'
import type { Logger } from '../log/logger.ts'
import type { AccessTokenClaims } from '../../protocol/tokens.ts'
import type { ReplayCache } from '../limits/replay-cache.ts'
import { StartupError } from '../errors/startup-error.ts'
import type { Fetch } from './published-keys.ts'

export interface IntrospectionOptions {
  /** The key that the service proves itself with: a key pair, or the PEM of a private key. */
  readonly signingKey: KeyPair | string
  /** Seconds for which an answer is used again. 5 by default. */
  readonly cacheFor?: number
}

/** How much the tokens of a service's callers must be bound. */
const STRICTNESS = ['optional', 'required'] as const

type Strictness = (typeof STRICTNESS)[number]

export interface ServiceAuthOptions {
  /** The auth server's ISSUER. Its metadata and its keys are below this URL. */
  readonly issuer: string
  /** The public URL of this service, as clients list it. Requests are bound to it. */
  readonly url: string
  readonly logger: Logger
  /** `required` by default, so that a captured token is useless. */
  readonly requestBinding?: Strictness
  /**
   * `optional` by default: the proof of a key-bound token is checked, and other tokens need none.
   * `required` refuses the others, which any service that has opened one could use here.
   */
  readonly keyBoundTokens?: Strictness
  /**
   * The key that tokens are encrypted to: a key pair, or the PEM of a private key. By default, a
   * new key at every start. Clients notice and encrypt their tokens again.
   */
  readonly encryptionKey?: KeyPair | string
  /** Whether the session of a valid token is still alive: see `createVerifier`. */
  readonly isAlive?: (claims: AccessTokenClaims) => boolean | Promise<boolean>
  /**
   * Asks the auth server whether a token is still good, so that a session that has ended is refused
   * within seconds. Needs an `encryptionKey`, and a service client with these two keys and the scope
   * `introspect`: docs/another-service.md.
   */
  readonly introspection?: IntrospectionOptions
  /**
   * Remembers bound requests. Processes that share an encryption key must share a replay cache too.
   */
  readonly replayCache?: ReplayCache
  /** Returns milliseconds since the epoch. The system's clock by default. */
  readonly clock?: () => number
  /** Used for requests to the auth server. The global `fetch` by default. */
  readonly fetch?: Fetch
}

/** @throws StartupError for a misspelt option, which would silently switch a protection off. */
export function checkWords(options: Readonly<Record<string, Strictness>>): void {
  const problems = Object.entries(options).flatMap(([name, value]) =>
    STRICTNESS.includes(value) ? [] : [`The service's ${name} must be ${STRICTNESS.join(' or ')}.`],
  )
  if (problems.length > 0) throw new StartupError(problems)
}
