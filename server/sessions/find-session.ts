import type { Selectable } from 'kysely'
import type { RefreshTokenClaims } from '../../protocol/tokens.ts'
import type { Database } from '../database/open.ts'
import { rowReader } from '../database/read-row.ts'
import type { Account, SessionRow } from '../database/schema.ts'

/** What a token says about its session. */
type SessionClaims = Pick<RefreshTokenClaims, 'sid' | 'sub' | 'client_id' | 'gen'>

/** The row of a found session, with its account. */
export type FoundSession = Account &
  Pick<Selectable<SessionRow>, 'database_key' | 'last_used_at' | 'expires_at'>

/**
 * Finds a live session and its account.
 *
 * @param now Milliseconds since the epoch.
 */
export type FindSession = (claims: SessionClaims, now: number) => Promise<FoundSession | undefined>

/**
 * Looks up a live session and its account in one statement. This is the price of revocation that
 * takes effect at once. Every protected request pays it, so the statement is composed only once.
 */
export function createSessionLookup(db: Database): FindSession {
  const compose = (sid: string, sub: string, clientId: string, generation: number, now: number) =>
    db
      .selectFrom('sessions')
      .innerJoin('accounts', 'accounts.id', 'sessions.account_id')
      .selectAll('accounts')
      .select(['sessions.database_key', 'sessions.last_used_at', 'sessions.expires_at'])
      .where('sessions.id', '=', sid)
      .where('sessions.account_id', '=', sub)
      .where('sessions.client_id', '=', clientId)
      .where('sessions.generation', '=', generation)
      .where('sessions.expires_at', '>', now)
  // Placeholders, in the order of the values below.
  const read = rowReader(db, compose('', '', '', 0, 0).compile())
  return ({ sid, sub, client_id, gen = 0 }, now) => read([sid, sub, client_id, gen, now])
}
