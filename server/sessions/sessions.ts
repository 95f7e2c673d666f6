import { randomUUID } from 'node:crypto'
import type { AccessTokenClaims, RefreshTokenClaims } from '../../protocol/tokens.ts'
import { recordSignIn } from '../limits/known-clients.ts'
import { markUsed, type Client } from '../clients/clients.ts'
import type { Database } from '../database/open.ts'
import type { Account } from '../database/schema.ts'
import { inTransaction } from '../database/transaction.ts'
import type { AuditSubject } from '../log/audit.ts'
import type { Logger } from '../log/logger.ts'
import type { TokenContext } from '../token/token-context.ts'
import { createDatabaseKey, moveDatabaseKey } from './database-key.ts'
import { createSessionLookup } from './find-session.ts'
import { isUseDue, recordUse } from './last-used.ts'
import type { NextGeneration } from './generation.ts'
import { lockAccount } from './lock-session.ts'
import { recordRefreshToken } from './refresh-tokens.ts'
import { rotateRefreshToken, type Rotation } from './refresh.ts'
import { endSurplusSessions } from './session-limit.ts'
import { issuePair, type TokenPair } from './token-pair.ts'

/** A live session and its account. */
export interface Session {
  readonly id: string
  readonly clientId: string
  /** Of the token that identified it. */
  readonly generation: number
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  readonly account: Account
  /** What this access token allows (RFC 6749 §3.3). */
  readonly scope: string
  /** As stored: see database-key.ts. */
  readonly sealedDatabaseKey: string
}

/** The ids of a session, its account and its client, for the audit log. */
export const idsOf = ({ id, account, clientId }: Session): AuditSubject => ({
  account_id: account.id,
  session_id: id,
  client_id: clientId,
})

/** The answer to signing in. */
export interface SignedIn extends TokenPair {
  readonly session_id: string
  readonly database_key: string
}

export type Started =
  /** `ended`: the sessions that were ended to make room. */
  | { readonly outcome: 'started'; readonly signedIn: SignedIn; readonly ended: readonly string[] }
  /** The account's password or scope has changed since it was read, or the account is gone. */
  | { readonly outcome: 'account_changed' }

export type Refreshed =
  | { readonly outcome: 'refreshed'; readonly tokens: TokenPair }
  | Exclude<Rotation, { readonly outcome: 'rotated' }>

export interface Sessions {
  /**
   * Starts another session of an account. Beyond the limit, ends the sessions unused the longest.
   *
   * @throws RefusedError if the client has been removed since it was found, because it was unused.
   */
  start(account: Account, client: Client): Promise<Started>
  /** The session of an access token, if it is alive and the token's account and client match it. */
  findAlive(claims: AccessTokenClaims): Promise<Session | undefined>
  /** The account of that session, for an access or refresh token. */
  ownerOf(claims: RefreshTokenClaims): Promise<Account | undefined>
  /**
   * Issues a new pair for a validated refresh token.
   *
   * @param account The account that the claims name.
   * @param scope All or part of the account's scope.
   */
  refresh(
    claims: RefreshTokenClaims,
    client: Client,
    account: Account,
    scope: string,
  ): Promise<Refreshed>
  /**
   * Makes a pair of the session's next generation, which becomes valid when `beginGeneration`
   * records it. If either fails, nothing has changed.
   */
  prepareGeneration(session: Session, client: Client): Promise<NextGeneration>
}

interface SessionOptions {
  /** In seconds, like the next two. */
  readonly accessTokenTtl: number
  readonly refreshTokenTtl: number
  readonly refreshReuseInterval: number
  readonly sessionMaxAge: number
  /** The most sessions of an account. */
  readonly maxSessions: number
}

export function createSessions(
  db: Database,
  context: TokenContext,
  options: SessionOptions,
  log: Logger,
): Sessions {
  const { clock } = context
  const findSession = createSessionLookup(db)
  const { accessTokenTtl, refreshTokenTtl, refreshReuseInterval, sessionMaxAge, maxSessions } =
    options

  /** When a session that is renewed now expires, in milliseconds since the epoch. */
  const expiryOf = (createdAt: number) =>
    Math.min(clock() + refreshTokenTtl * 1000, createdAt + sessionMaxAge * 1000)

  return {
    async start(account, client) {
      const databaseKey = createDatabaseKey(context)
      const id = randomUUID()
      const now = clock()
      const expiresAt = expiryOf(now)
      const jti = randomUUID()
      const begun = await inTransaction(db, async (trx) => {
        // The lock comes before the first read.
        if (!(await lockAccount(trx, account))) return { outcome: 'account_changed' } as const
        await markUsed(trx, client.id)
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
        await recordRefreshToken(trx, id, jti, expiresAt)
        return { outcome: 'started', ended } as const
      })
      if (begun.outcome !== 'started') return begun
      const session = { id, account, generation: 0, expiresAt, jti }
      const tokens = await issuePair(context, session, client, account.scope, accessTokenTtl)
      const signedIn = { session_id: id, database_key: databaseKey.plain, ...tokens }
      return { outcome: 'started', signedIn, ended: begun.ended }
    },

    async findAlive(claims) {
      const { sid, client_id, scope, gen: generation = 0 } = claims
      const now = clock()
      const row = await findSession(claims, now)
      if (row === undefined) return undefined
      const { database_key, last_used_at, expires_at, ...account } = row
      if (isUseDue(last_used_at, now)) await recordUse(db, log, sid, now)
      return {
        id: sid,
        clientId: client_id,
        generation,
        expiresAt: expires_at,
        account,
        scope,
        sealedDatabaseKey: database_key,
      }
    },

    ownerOf: (claims) => findSession(claims, clock()),
    async refresh({ sid, jti, gen = 0 }, client, account, scope) {
      // Before the token is used up, so that a failure can be retried.
      await moveDatabaseKey(db, context, sid)
      const policy = { now: clock(), reuseInterval: refreshReuseInterval * 1000, expiryOf }
      const rotation = await inTransaction(db, (trx) =>
        rotateRefreshToken(trx, { sid, jti, gen }, policy),
      )
      if (rotation.outcome !== 'rotated') return rotation
      const session = { id: sid, account, generation: gen, ...rotation }
      const tokens = await issuePair(context, session, client, scope, accessTokenTtl)
      return { outcome: 'refreshed', tokens }
    },

    async prepareGeneration({ id, account, generation, expiresAt }, client) {
      const jti = randomUUID()
      const next = { id, account, generation: generation + 1, expiresAt, jti }
      const tokens = await issuePair(context, next, client, account.scope, accessTokenTtl)
      return { jti, expiresAt, tokens }
    },
  }
}

/** Removes every session of every account, and returns their number. */
export async function removeAllSessions(db: Database): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('sessions').executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}
