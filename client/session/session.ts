import type { AccessTokenClaims } from '../../protocol/tokens.ts'
import type { Account } from './answers.ts'
import type { LiveSession } from './open-session.ts'

/** Who is signed in, and how. */
export interface Session {
  readonly sessionId: string
  readonly clientId: string
  readonly claims: AccessTokenClaims
  /** When the access token expires: milliseconds since the epoch, by this machine's clock. */
  readonly expiresAt: number
  /** `undefined` while the server has not been reached since the start. */
  readonly account: Account | undefined
}

export function present(session: LiveSession): Session
export function present(session: LiveSession | undefined): Session | undefined
export function present(session: LiveSession | undefined): Session | undefined {
  if (session === undefined) return undefined
  const { stored, access, known } = session
  return {
    sessionId: stored.session_id,
    clientId: stored.client_id,
    claims: access.claims,
    expiresAt: (access.claims.exp - stored.clock_offset) * 1000,
    account: known?.account,
  }
}
