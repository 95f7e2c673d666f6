import type { ClientContext } from '../context.ts'
import { inPlaceOf, notSignedIn } from '../errors.ts'
import type { ClientKey } from '../keys/client-key.ts'
import type { ClientStore } from '../stores/client-store.ts'
import { invalid } from '../token-error.ts'
import { checkTimes } from '../token/check-claims.ts'
import type { AccountAnswer, TokenPair } from './answers.ts'
import { isDamaged, readSession, type StoredSession } from './stored-session.ts'
import { openAccessToken, openRefreshToken, type OpenedToken, type Opener } from './tokens.ts'

/** A session in memory. */
export interface OpenSession {
  /** The session as it is stored. */
  readonly stored: StoredSession
  /** Its opened access token. */
  readonly access: OpenedToken
  /** What only the server knows; absent until the server has been asked since startup. */
  readonly answer?: AccountAnswer
}

/** A session that the server has confirmed since startup. */
export type ConfirmedSession = Required<OpenSession>

export const isConfirmed = (session: OpenSession): session is ConfirmedSession =>
  session.answer !== undefined

/** Seconds before expiry at which a token is refreshed, so that it is still valid on arrival. */
const EXPIRY_MARGIN = 10
/** Seconds that two clocks may differ before the client corrects for the difference. */
const CLOCK_TOLERANCE = 5

/** What is known of a pair of tokens before it is opened. */
interface ExpectedPair {
  readonly sessionId: string
  readonly accountId: string
  readonly isKeyBound: boolean
}

/**
 * Opens a pair of tokens that has just arrived, and computes the clock offset from it.
 *
 * @param expected The session and the account that both tokens must belong to, and whether they must
 *   be key-bound.
 * @param receivedAt Milliseconds since the epoch.
 * @throws AuthError `token_invalid`
 */
export async function openPair(
  context: ClientContext,
  key: ClientKey,
  expected: ExpectedPair,
  pair: TokenPair,
  receivedAt: number,
): Promise<OpenSession> {
  const opener = { ...(await openerOf(context, key)), isKeyBound: expected.isKeyBound }
  const [access, refresh] = await Promise.all([
    openAccessToken(pair.access_token, opener),
    openRefreshToken(pair.refresh_token, opener),
  ])
  for (const { claims } of [access, refresh]) {
    if (claims.sid !== expected.sessionId || claims.sub !== expected.accountId) {
      throw invalid('session')
    }
    checkTimes(claims, access.claims.iat)
  }
  const offset = access.claims.iat - Math.floor(receivedAt / 1000)
  const stored: StoredSession = {
    client_id: key.id,
    session_id: expected.sessionId,
    access_token: access.jwe,
    refresh_token: refresh.jwe,
    // A small difference may be the time that the answer took.
    clock_offset: Math.abs(offset) <= CLOCK_TOLERANCE ? 0 : offset,
  }
  return { stored, access }
}

/**
 * Opens the session in the store. Its access token may have expired.
 *
 * @throws AuthError `token_invalid` if it is damaged, or this client's key cannot open it.
 */
export async function openStored(context: ClientContext): Promise<OpenSession | undefined> {
  const stored = await readSession(context.store)
  if (stored === undefined) {
    if (await isDamaged(context.store)) throw invalid('stored_session')
    return undefined
  }
  const key = await keyOf(context.store, stored)
  const access = await openAccessToken(stored.access_token, await openerOf(context, key))
  if (access.claims.sid !== stored.session_id) throw invalid('session')
  return { stored, access }
}

/** The key of a stored session. @throws AuthError `token_invalid` if it is missing. */
export async function keyOf(store: ClientStore, stored: StoredSession): Promise<ClientKey> {
  const key = await store.loadKey()
  if (key?.id !== stored.client_id) throw invalid('jwe_kid')
  return key
}

/** As `keyOf`, for a session in memory. @throws AuthError `not_signed_in` if its key is missing. */
export const keyInUse = (store: ClientStore, { stored }: OpenSession): Promise<ClientKey> =>
  keyOf(store, stored).catch(inPlaceOf('token_invalid', notSignedIn))

/** What is needed to open tokens for a key of this client. */
export async function openerOf({ server }: ClientContext, key: ClientKey): Promise<Opener> {
  const { issuer } = await server.info()
  return { key, keys: server.verificationKeys, issuer, clientId: key.id }
}

/** The curve of the client's key if the session's tokens are key-bound; the reader's key must be on it. */
export const curveOf = ({ access }: OpenSession): string | undefined => access.claims.cnf?.jwk.crv

/** Seconds since the epoch, by the server's clock as estimated from the session. */
export const serverTime = ({ clock }: ClientContext, session: OpenSession | undefined): number =>
  clock() / 1000 + (session?.stored.clock_offset ?? 0)

/** Whether the access token will still be valid when it arrives. */
export function isUsable(context: ClientContext, session: OpenSession): boolean {
  const { iat, exp } = session.access.claims
  return serverTime(context, session) < exp - Math.min(EXPIRY_MARGIN, (exp - iat) / 10)
}
