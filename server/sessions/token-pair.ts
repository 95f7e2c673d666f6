import { z } from 'zod'
import type { ConfirmationKey } from '../../protocol/tokens.ts'
import { recipientOf, type Client } from '../clients/clients.ts'
import { nowInSeconds, type TokenContext } from '../token/token-context.ts'
import { agreeOn } from '../token/jwe/seal-jwe.ts'
import { issue } from '../token/issue.ts'
import { accessToken, refreshToken } from '../token/claims.ts'
import type { Session } from './session.ts'

/** RFC 6749 §5.1. */
export const tokenPair = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().meta({ description: 'Seconds.' }),
})
export type TokenPair = Readonly<z.infer<typeof tokenPair>>

/** What a session's tokens say about it. */
interface TokenSession extends Pick<Session, 'id' | 'account' | 'generation' | 'expiresAt'> {
  /** The recorded `jti` of the refresh token. */
  readonly jti: string
}

/**
 * Issues an access token and a refresh token for one client. Neither outlives the session.
 *
 * @param scope All or part of the account's scope.
 * @param accessTokenTtl Seconds.
 */
export function issuePair(
  context: TokenContext,
  session: TokenSession,
  client: Client,
  scope: string,
  accessTokenTtl: number,
): TokenPair {
  const recipient = recipientOf(client)
  const agreement = agreeOn(recipient)
  const { id: sid, account, generation, jti } = session
  const gen = generation === 0 ? {} : { gen: generation }
  const cnf = client.isKeyBound ? { cnf: { jwk: client.jwk as ConfirmationKey } } : {}
  const claims = { sub: account.id, aud: client.id, client_id: client.id, sid, ...gen, ...cnf }
  const remaining = Math.floor(session.expiresAt / 1000) - nowInSeconds(context)
  const lifetime = Math.min(accessTokenTtl, remaining)
  const access = { ...claims, scope }
  const refresh = { ...claims, jti }
  return {
    access_token: issue(context, accessToken, access, recipient, lifetime, agreement),
    refresh_token: issue(context, refreshToken, refresh, recipient, remaining, agreement),
    token_type: 'Bearer',
    expires_in: lifetime,
  }
}
