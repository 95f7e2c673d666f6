/**
 * The kinds of token; a feature can add others. Each has a `typ` of its own (RFC 8725 §3.11), so that
 * none can pass for another, and a schema for its claims, so that what was signed by mistake is still
 * refused.
 */
import { z } from 'zod'
import {
  TOKEN_TYPES,
  type AccessTokenClaims,
  type RefreshTokenClaims,
  type RegisteredClaims,
  type ServiceTokenClaims,
} from '../../protocol/tokens.ts'
import { thumbprintOf } from './request-proof.ts'

const text = z.string().min(1)
/** Seconds since the epoch (RFC 7519 §2, NumericDate), whole. */
const time = z.int().nonnegative()

/** On every token (RFC 7519 §4.1). */
export const registered = { iss: text, sub: text, aud: text, iat: time, exp: time, jti: text }
/** The client's public key, on key-bound tokens. */
const cnf = z.strictObject({
  jwk: z.strictObject({ kty: text, crv: text, x: text, y: text.optional() }),
})
/**
 * On the tokens of a session: the client that it is for, the session, and the session's generation,
 * which sessions/token-pair.ts leaves out while it is 0.
 */
const session = {
  ...registered,
  client_id: text,
  sid: text,
  gen: z.int().positive().optional(),
  cnf: cnf.optional(),
}

/** On service tokens. */
export const service = { ...registered, client_id: text, scope: z.string(), cnf }

type ClaimsOfClient = Pick<RefreshTokenClaims, 'sub' | 'aud' | 'client_id' | 'cnf'>

/** Whether a token of a session names one client throughout. */
export const isForItsClient = ({ aud, client_id, cnf }: ClaimsOfClient) =>
  aud === client_id && (cnf === undefined || thumbprintOf(cnf.jwk) === client_id)

/** The same for a service token, whose subject is the client itself. */
export const isOfItsClient = (claims: ClaimsOfClient) =>
  claims.sub === claims.client_id && isForItsClient(claims)

/** Yours to extend: a claim that your clients and services need. Its value is set in sessions/token-pair.ts. */
export const access = { ...session, scope: z.string() }

/** RFC 9068. */
export const accessToken = {
  typ: TOKEN_TYPES.access,
  claims: z.strictObject(access).refine(isForItsClient),
} as const satisfies TokenKind<AccessTokenClaims>

/** An access token without a session. */
export const serviceToken = {
  typ: TOKEN_TYPES.access,
  claims: z.strictObject(service).refine(isOfItsClient),
} as const satisfies TokenKind<ServiceTokenClaims>

/** An access token of a person or of a service: only the first has a `sid`. */
export const anyAccessToken: TokenKind<AccessTokenClaims | ServiceTokenClaims> = {
  typ: TOKEN_TYPES.access,
  claims: z.union([accessToken.claims, serviceToken.claims]),
}

/** RFC 6749 §1.5. */
export const refreshToken = {
  typ: TOKEN_TYPES.refresh,
  claims: z.strictObject(session).refine(isForItsClient),
} as const satisfies TokenKind<RefreshTokenClaims>

/** What describes a kind of token. */
export interface TokenKind<Claims extends RegisteredClaims = RegisteredClaims> {
  readonly typ: string
  /** The audience of every token of this kind, where it has one. */
  readonly audience?: string
  readonly claims: z.ZodType<Claims>
}

/** The claims that the issuer chooses; issue.ts adds the rest. */
export type OwnClaims<C extends RegisteredClaims> = Omit<C, 'iss' | 'iat' | 'exp' | 'jti'> & {
  /** Chosen at random unless it is given. */
  readonly jti?: string
}
