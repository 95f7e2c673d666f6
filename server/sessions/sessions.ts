import { randomUUID } from 'node:crypto'
import { recordSignIn } from '../accounts/known-clients.ts'
import { markUsed, type Client } from '../clients/clients.ts'
import type { Database } from '../database/open.ts'
import type { Account } from '../database/schema.ts'
import type { TokenContext } from '../token/context.ts'
import type { AccessTokenClaims, RefreshTokenClaims } from '../token/kinds.ts'
import { createDatabaseKey, moveDatabaseKey } from './database-key.ts'
import { recordRefreshToken, useRefreshToken } from './refresh.ts'
import { endSurplusSessions } from './session-limit.ts'
import { issuePair, type TokenPair } from './token-pair.ts'

/** A session that is alive, with whom it belongs to. */
export interface Session {
  readonly id: string
  readonly clientId: string
  readonly account: Account
  /** What this access token allows (RFC 6749 §3.3). */
  readonly scope: string
  /** As stored: see database-key.ts. */
  readonly sealedDatabaseKey: string
}

/** What signing in gives. */
export interface SignedIn extends TokenPair {
  readonly session_id: string
  readonly database_key: string
}

export type Started =
  /** `ended`: the sessions that made room for it. */
  | { readonly outcome: 'started'; readonly signedIn: SignedIn; readonly ended: readonly string[] }
  /** The account's password or scope has changed since it was read, or the account is gone. */
  | { readonly outcome: 'account_changed' }
  /** The client has been removed since it was found: it had never been used. */
  | { readonly outcome: 'client_removed' }

export type Refreshed =
  | { readonly outcome: 'refreshed'; readonly tokens: TokenPair }
  /** `reused`: the session has been ended for it. */
  | { readonly outcome: 'reused' | 'unknown' }

export interface Sessions {
  /** Starts a session beside those that the account has, up to the limit. */
  start(account: Account, client: Client): Promise<Started>
  /** The session that an access token speaks of, if it is alive and all three still belong together. */
  findAlive(claims: AccessTokenClaims): Promise<Session | undefined>
  /**
   * A fresh pair for a refresh token that has been validated.
   *
   * @param scope A part of the account's scope, or all of it.
   */
  refresh(claims: RefreshTokenClaims, client: Client, scope: string): Promise<Refreshed>
  /** Ends a session: its tokens are refused and its database key is gone from now on. */
  end(id: string): Promise<boolean>
}

interface SessionOptions {
  /** Seconds, as those that follow. */
  readonly accessTokenTtl: number
  readonly refreshTokenTtl: number
  readonly refreshReuseInterval: number
  readonly sessionMaxAge: number
  /** How many an account has at most. */
  readonly maxSessions: number
}

/** How stale `last_used_at` may be, milliseconds: reading must not cost a write each time. */
const LAST_USED_PRECISION = 60_000

export function createSessions(
  db: Database,
  context: TokenContext,
  options: SessionOptions,
): Sessions {
  const { clock } = context
  const { accessTokenTtl, refreshTokenTtl, refreshReuseInterval, sessionMaxAge, maxSessions } =
    options

  /** When a session that is renewed now ends by itself, milliseconds since the epoch. */
  const expiryOf = (createdAt: number) =>
    Math.min(clock() + refreshTokenTtl * 1000, createdAt + sessionMaxAge * 1000)

  return {
    async start(account, client) {
      const databaseKey = await createDatabaseKey(context)
      const id = randomUUID()
      const now = clock()
      const expiresAt = expiryOf(now)
      const begun = await db.transaction().execute(async (trx) => {
        // A write, though it changes nothing: it takes the lock before the first read.
        const { numUpdatedRows } = await trx
          .updateTable('accounts')
          .set({ version: account.version })
          .where('id', '=', account.id)
          .where('version', '=', account.version)
          .executeTakeFirstOrThrow()
        if (numUpdatedRows === 0n) return { outcome: 'account_changed' } as const
        if (!(await markUsed(trx, client.id))) return { outcome: 'client_removed' } as const
        await trx
          .insertInto('sessions')
          .values({
            id,
            account_id: account.id,
            client_id: client.id,
            database_key: databaseKey.sealed,
            created_at: now,
            last_used_at: now,
            expires_at: expiresAt,
          })
          .execute()
        await recordSignIn(trx, account.id, client.id, now)
        const ended = await endSurplusSessions(trx, account.id, id, { maxSessions, now })
        const jti = await recordRefreshToken(trx, id, expiresAt)
        return { outcome: 'started', ended, jti } as const
      })
      if (begun.outcome !== 'started') return begun
      const { jti, ended } = begun
      const session = { id, accountId: account.id, expiresAt, jti }
      const tokens = await issuePair(context, session, client, account.scope, accessTokenTtl)
      const signedIn = { session_id: id, database_key: databaseKey.plain, ...tokens }
      return { outcome: 'started', signedIn, ended }
    },

    async findAlive({ sid, sub, client_id, scope }) {
      const now = clock()
      const row = await db
        .selectFrom('sessions')
        .innerJoin('accounts', 'accounts.id', 'sessions.account_id')
        .selectAll('accounts')
        .select(['sessions.database_key', 'sessions.last_used_at'])
        .where('sessions.id', '=', sid)
        .where('sessions.account_id', '=', sub)
        .where('sessions.client_id', '=', client_id)
        .where('sessions.expires_at', '>', now)
        .executeTakeFirst()
      if (row === undefined) return undefined
      const { database_key, last_used_at, ...account } = row
      if (now - last_used_at >= LAST_USED_PRECISION) {
        await db.updateTable('sessions').set({ last_used_at: now }).where('id', '=', sid).execute()
      }
      return { id: sid, clientId: client_id, account, scope, sealedDatabaseKey: database_key }
    },

    async refresh({ sid, sub, jti }, client, scope) {
      // Before the token is used up: if this fails, it can be tried again.
      await moveDatabaseKey(db, context, sid)
      const now = clock()
      const result = await db.transaction().execute(async (trx) => {
        const rotation = await useRefreshToken(trx, { sid, jti }, now, refreshReuseInterval * 1000)
        if (rotation === 'reused') {
          await trx.deleteFrom('sessions').where('id', '=', sid).execute()
        }
        if (rotation !== 'used') return { outcome: rotation }
        const { created_at } = await trx
          .selectFrom('sessions')
          .select('created_at')
          .where('id', '=', sid)
          .executeTakeFirstOrThrow()
        const expiresAt = expiryOf(created_at)
        await trx
          .updateTable('sessions')
          .set({ last_used_at: now, expires_at: expiresAt })
          .where('id', '=', sid)
          .execute()
        const newJti = await recordRefreshToken(trx, sid, expiresAt)
        return { outcome: 'refreshed', expiresAt, jti: newJti } as const
      })
      if (result.outcome !== 'refreshed') return result
      const session = { id: sid, accountId: sub, ...result }
      const tokens = await issuePair(context, session, client, scope, accessTokenTtl)
      return { outcome: 'refreshed', tokens }
    },

    async end(id) {
      const { numDeletedRows } = await db
        .deleteFrom('sessions')
        .where('id', '=', id)
        .executeTakeFirstOrThrow()
      return numDeletedRows > 0n
    },
  }
}

/** Removes every session, of everybody; says how many there were. */
export async function removeAllSessions(db: Database): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('sessions').executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}
