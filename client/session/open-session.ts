import type { AccessTokenClaims } from '../../protocol/tokens.ts'
import type { AuthServer } from '../discovery/server.ts'
import type { Fetch } from '../http.ts'
import type { ClientStore } from '../stores/client-store.ts'
import { checkTimes } from '../token/check-claims.ts'
import type { ClientKey } from '../token/client-key.ts'
import { invalid } from '../token/compact.ts'
import type { Account, TokenPair } from './answers.ts'
import { readSession, type StoredSession } from './stored-session.ts'
import { openAccessToken, openRefreshToken, type OpenedToken, type Opener } from './tokens.ts'

/** A session in memory. */
export interface LiveSession {
  readonly stored: StoredSession
  readonly access: OpenedToken<AccessTokenClaims>
  /** What only the server says; unknown while it has not been reached since the start. */
  readonly known?: {
    readonly account: Account
    /** `null` if the server has lost it. */
    readonly databaseKey: string | null
  }
}

/** One of which the server has said what only it can. */
export type KnownSession = LiveSession & Required<Pick<LiveSession, 'known'>>

export const isKnown = (session: LiveSession): session is KnownSession =>
  session.known !== undefined

/** What it takes to open a session. */
export interface SessionContext {
  readonly store: ClientStore
  readonly server: AuthServer
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/** What it takes to ask the server for more. */
export interface OnlineContext extends SessionContext {
  readonly fetch: Fetch
}

/** Seconds before its end at which a token is renewed: it has to arrive alive. */
const EXPIRY_MARGIN = 10
/** Seconds that two clocks may differ without a thought. */
const CLOCK_TOLERANCE = 5

/**
 * Opens a pair that has just come, for the session and the person that it must be for, and sets the
 * clock by it: it was made a moment ago.
 *
 * @throws AuthError `token_invalid`
 */
export async function openPair(
  { server, clock }: SessionContext,
  key: ClientKey,
  { sessionId, subject }: { readonly sessionId: string; readonly subject: string },
  pair: TokenPair,
): Promise<LiveSession> {
  const opener = await openerFor(server, key)
  const [access, refresh] = await Promise.all([
    openAccessToken(pair.access_token, opener),
    openRefreshToken(pair.refresh_token, opener),
  ])
  for (const { claims } of [access, refresh]) {
    if (claims.sid !== sessionId || claims.sub !== subject) throw invalid()
    checkTimes(claims, access.claims.iat)
  }
  const offset = access.claims.iat - Math.floor(clock() / 1000)
  const stored: StoredSession = {
    client_id: key.id,
    session_id: sessionId,
    access_token: access.jwe,
    refresh_token: refresh.jwe,
    // The answer took a second or two itself.
    clock_offset: Math.abs(offset) <= CLOCK_TOLERANCE ? 0 : offset,
  }
  return { stored, access }
}

/**
 * The session in the store, opened and verified; its access token may have expired.
 *
 * @throws AuthError `token_invalid` for one that nobody can prove any more.
 */
export async function openStored(context: SessionContext): Promise<LiveSession | undefined> {
  const stored = await readSession(context.store)
  if (stored === undefined) return undefined
  const access = await openAccessToken(stored.access_token, await openerOf(context, stored))
  if (access.claims.sid !== stored.session_id) throw invalid()
  return { stored, access }
}

/** What opens the tokens of a session in the store. @throws AuthError `token_invalid` without its key. */
export async function openerOf(context: SessionContext, stored: StoredSession): Promise<Opener> {
  const key = await context.store.loadKey()
  if (key?.id !== stored.client_id) throw invalid()
  return openerFor(context.server, key)
}

/** Seconds since the epoch, by the server's clock as far as a session tells it. */
export const nowFor = ({ clock }: SessionContext, session: LiveSession | undefined): number =>
  clock() / 1000 + (session?.stored.clock_offset ?? 0)

/** Whether the access token will still be good when it arrives. */
export function isGood(context: SessionContext, session: LiveSession): boolean {
  const { iat, exp } = session.access.claims
  return nowFor(context, session) < exp - Math.min(EXPIRY_MARGIN, (exp - iat) / 10)
}

async function openerFor(server: AuthServer, key: ClientKey): Promise<Opener> {
  const { issuer } = await server.info()
  return { key, keys: server.verificationKeys, issuer, clientId: key.id }
}
