import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { RegisteredClaims } from '../../protocol/tokens.ts'
import type { TokenKind } from './claims.ts'

/** The most tokens. */
const CAPACITY = 10_000
/** The most characters of a JWS in the cache, to limit its memory. Ours have about 700. */
const MAX_LENGTH = 2048

/** A token that has passed every check of `validate`. */
export interface VerifiedToken<C extends RegisteredClaims = RegisteredClaims> {
  /** The kind that it was checked as, so that a refresh token is never found as an access token. */
  readonly kind: TokenKind<C>
  /** The thumbprint of the key that signed it. */
  readonly kid: string
  readonly claims: C
}

/**
 * A cache of recent tokens, so that a JWS that comes with every request is verified only once. It
 * affects how fast a token is checked, never the result: the key must still be accepted, and
 * issuer, audience and times are checked each time.
 *
 * @param capacity The most tokens. The least recently used is dropped to make room.
 */
export function createVerifiedTokens(capacity = CAPACITY) {
  // By the hash of the whole JWS.
  const tokens = new LRUCache<string, VerifiedToken>({ max: capacity })
  /** For the metrics. */
  const lookups = { hits: 0, misses: 0 }
  return {
    lookups,
    /** The cached result for a JWS that was checked as `kind`. */
    find<C extends RegisteredClaims>(
      jws: string,
      kind: TokenKind<C>,
    ): VerifiedToken<C> | undefined {
      const token = tokens.get(hash('sha256', jws, 'base64url'))
      if (token?.kind !== kind) {
        lookups.misses += 1
        return undefined
      }
      lookups.hits += 1
      // Checked as the same kind, it has the same claims.
      return token as VerifiedToken<C>
    },
    remember(jws: string, token: VerifiedToken): void {
      if (jws.length > MAX_LENGTH) return
      freeze(token.claims)
      tokens.set(hash('sha256', jws, 'base64url'), token)
    },
    clear: () => {
      tokens.clear()
    },
  }
}

/** Claims reach handlers, and every later request with the token gets the same object. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  Object.freeze(value)
  Object.values(value).forEach(freeze)
}
