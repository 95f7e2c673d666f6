import { hash } from 'node:crypto'
import type { RegisteredClaims } from '../../protocol/tokens.ts'
import type { TokenKind } from './kinds.ts'

/** Tokens at most. */
const CAPACITY = 10_000
/** Letters of a JWS. Ours have about 700; with longer ones the cache would take too much memory. */
const MAX_LENGTH = 2048

/** A token that has passed every check of `validate`. */
export interface VerifiedToken<C extends RegisteredClaims = RegisteredClaims> {
  /** The kind that it was checked as: a refresh token is never found as an access token. */
  readonly kind: TokenKind<C>
  /** The thumbprint of the key that signed it. */
  readonly kid: string
  readonly claims: C
}

/**
 * The tokens of the last minutes: a JWS that is sent with each request is verified once. This changes
 * how fast a token is checked, never whether it is good: its key must still be accepted, and its
 * issuer, audience and times are checked each time.
 */
export interface VerifiedTokens {
  readonly hits: number
  readonly misses: number
  /** What is known of a JWS, which was checked as `kind`. */
  find<C extends RegisteredClaims>(jws: string, kind: TokenKind<C>): VerifiedToken<C> | undefined
  remember<C extends RegisteredClaims>(jws: string, token: VerifiedToken<C>): void
  /** Forgets the tokens of every key that is not among `kids`. */
  keepOnly(kids: ReadonlySet<string>): void
}

/** @param capacity Tokens at most. The least recently used one makes room. */
export function createVerifiedTokens(capacity = CAPACITY): VerifiedTokens {
  // By the hash of the whole JWS. A Map iterates in the order of insertion.
  const tokens = new Map<string, VerifiedToken>()
  let hits = 0
  let misses = 0
  return {
    get hits() {
      return hits
    },
    get misses() {
      return misses
    },
    find(jws, kind) {
      const id = hash('sha256', jws, 'base64url')
      const token = tokens.get(id)
      if (token?.kind !== kind) {
        misses += 1
        return undefined
      }
      hits += 1
      tokens.delete(id)
      tokens.set(id, token)
      // Checked as the same kind, it has the same claims.
      return token as VerifiedToken<never>
    },
    remember(jws, token) {
      if (jws.length > MAX_LENGTH) return
      const id = hash('sha256', jws, 'base64url')
      if (tokens.size >= capacity && !tokens.has(id)) {
        for (const oldest of tokens.keys()) {
          tokens.delete(oldest)
          break
        }
      }
      tokens.set(id, token)
    },
    keepOnly(kids) {
      for (const [id, { kid }] of tokens) if (!kids.has(kid)) tokens.delete(id)
    },
  }
}
