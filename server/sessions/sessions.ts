import { randomUUID } from 'node:crypto'
import type { Account } from '../accounts/accounts.ts'
import { recipientOf, type Client } from '../clients/clients.ts'
import type { Database } from '../database/open.ts'
import type { TokenContext } from '../token/context.ts'
import { issue } from '../token/issue.ts'
import { accessToken, refreshToken, type AccessTokenClaims } from '../token/kinds.ts'
import { createDatabaseKey } from './database-key.ts'

/** A session that is alive, with whom it belongs to. */
export interface Session {
  readonly id: string
  readonly clientId: string
  readonly account: Account
  /** As stored: see database-key.ts. */
  readonly sealedDatabaseKey: string
}

/** What signing in gives: RFC 6749 §5.1 and the session. */
export interface SignedIn {
  readonly session_id: string
  readonly database_key: string
  readonly access_token: string
  readonly refresh_token: string
  readonly token_type: 'Bearer'
  /** Seconds. */
  readonly expires_in: number
}

export interface Sessions {
  /** Starts a session beside any that the account has already. */
  start(account: Account, client: Client): Promise<SignedIn>
  /** The session that an access token speaks of, if it is alive and all three still belong together. */
  findAlive(claims: AccessTokenClaims): Promise<Session | undefined>
  /** Ends a session: its tokens are refused and its database key is gone from now on. */
  end(id: string): Promise<void>
}

interface Lifetimes {
  /** Seconds. */
  readonly accessTokenTtl: number
  /** Seconds. */
  readonly refreshTokenTtl: number
}

export function createSessions(
  db: Database,
  context: TokenContext,
  { accessTokenTtl, refreshTokenTtl }: Lifetimes,
): Sessions {
  return {
    async start(account, client) {
      const recipient = recipientOf(client)
      const databaseKey = await createDatabaseKey(context)
      const id = randomUUID()
      const claims = { sub: account.id, aud: client.id, client_id: client.id, sid: id }
      const access = { ...claims, scope: account.scope }
      const tokens = {
        access_token: await issue(context, accessToken, access, recipient, accessTokenTtl),
        refresh_token: await issue(context, refreshToken, claims, recipient, refreshTokenTtl),
      }
      const now = context.clock()
      await db
        .insertInto('sessions')
        .values({
          id,
          account_id: account.id,
          client_id: client.id,
          database_key: databaseKey.sealed,
          created_at: now,
          last_used_at: now,
        })
        .execute()
      return {
        session_id: id,
        database_key: databaseKey.plain,
        ...tokens,
        token_type: 'Bearer',
        expires_in: accessTokenTtl,
      }
    },
    async findAlive({ sid, sub, client_id }) {
      const row = await db
        .selectFrom('sessions')
        .innerJoin('accounts', 'accounts.id', 'sessions.account_id')
        .selectAll('accounts')
        .select('sessions.database_key')
        .where('sessions.id', '=', sid)
        .where('sessions.account_id', '=', sub)
        .where('sessions.client_id', '=', client_id)
        .executeTakeFirst()
      if (row === undefined) return undefined
      const { database_key, ...account } = row
      return { id: sid, clientId: client_id, account, sealedDatabaseKey: database_key }
    },
    async end(id) {
      await db.deleteFrom('sessions').where('id', '=', id).execute()
    },
  }
}

/** Removes every session, of everybody; says how many there were. */
export async function removeAllSessions(db: Database): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('sessions').executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}
