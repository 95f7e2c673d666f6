import { randomUUID } from 'node:crypto'
import type { AccessTokenClaims, RefreshTokenClaims } from '../../protocol/tokens.ts'
import { recordSignIn } from '../limits/known-clients.ts'
import { markUsed, type Client } from '../clients/clients.ts'
import type { Config } from '../config/config.ts'
import type { Database } from '../database/open.ts'
import type { Account } from '../database/schema.ts'
import { inTransaction } from '../database/transaction.ts'
import type { Logger } from '../log/logger.ts'
import type { TokenContext } from '../token/token-context.ts'
import { createDatabaseKey, resealDatabaseKey } from '../database-keys/database-key.ts'
import { createSessionLookup, type FindSession, type FoundSession } from './find-session.ts'
import { isUseDue, recordUse } from './last-used.ts'
import { lockAccount } from './lock-session.ts'
import { recordRefreshToken } from './refresh-tokens.ts'
import { rotateRefreshToken } from './refresh.ts'
import type { Session } from './session.ts'
import { endSurplusSessions } from './session-limit.ts'
import { issuePair } from './token-pair.ts'

type SessionOptions = Pick<
  Config,
  'accessTokenTtl' | 'refreshTokenTtl' | 'refreshReuseInterval' | 'sessionMaxAge' | 'maxSessions'
>

export type Sessions = ReturnType<typeof createSessions>

export function createSessions(
  db: Database,
  context: TokenContext,
  options: SessionOptions,
  log: Logger,
  findSession: FindSession = createSessionLookup(db),
) {
  const { clock } = context
  const { accessTokenTtl, refreshTokenTtl, refreshReuseInterval, sessionMaxAge, maxSessions } =
    options

  /** When a session that is renewed now expires, in milliseconds since the epoch. */
  const expiryOf = (createdAt: number) =>
    Math.min(clock() + refreshTokenTtl * 1000, createdAt + sessionMaxAge * 1000)

  return {
    /**
     * Starts another session of an account. Beyond the limit, ends the sessions unused the longest.
     *
     * @returns The answer to signing in, and the ids of the ended sessions. `undefined` if the
     *   account's password or scope has changed since it was read, or the account is gone.
     * @throws RefusedError if the client has been removed since it was found, because it was unused.
     */
    async start(account: Account, client: Client) {
      const databaseKey = createDatabaseKey(context)
      const id = randomUUID()
      const now = clock()
      const expiresAt = expiryOf(now)
      const jti = randomUUID()
      const ended = await inTransaction(db, async (trx) => {
        // The lock comes before the first read.
        if (!(await lockAccount(trx, account))) return undefined
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
        const ended = await endSurplusSessions(trx, account.id, id, now, maxSessions)
        await recordRefreshToken(trx, id, jti, expiresAt)
        return ended
      })
      if (ended === undefined) return undefined
      const session = { id, account, generation: 0, expiresAt, jti }
      const tokens = issuePair(context, session, client, account.scope, accessTokenTtl)
      const signedIn = { session_id: id, database_key: databaseKey.plain, ...tokens }
      return { signedIn, ended }
    },

    /** The session of an access token, if it is alive and the token's account and client match it. */
    async findAlive(claims: AccessTokenClaims): Promise<Session | undefined> {
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

    /** The account of a token's session, if it is alive, with columns of the session. */
    ownerOf: (claims: RefreshTokenClaims): Promise<FoundSession | undefined> =>
      findSession(claims, clock()),

    /**
     * Issues a new pair for a validated refresh token.
     *
     * @param found The session that the claims name.
     * @param scope All or part of the account's scope.
     */
    async refresh(
      { sid, jti, gen = 0 }: RefreshTokenClaims,
      client: Client,
      found: Account & Pick<FoundSession, 'database_key'>,
      scope: string,
    ) {
      // Before the transaction, which must not wait for anything else.
      const databaseKey = await resealDatabaseKey(context, found.database_key)
      const reuseInterval = refreshReuseInterval * 1000
      const policy = { now: clock(), reuseInterval, expiryOf, databaseKey }
      const rotation = await inTransaction(db, (trx) =>
        rotateRefreshToken(trx, { sid, jti, gen }, policy),
      )
      if (rotation.outcome !== 'rotated') return rotation
      const session = { id: sid, account: found, generation: gen, ...rotation }
      const tokens = issuePair(context, session, client, scope, accessTokenTtl)
      return { outcome: 'refreshed', tokens } as const
    },

    /**
     * Makes a pair of the session's next generation, which becomes valid when `beginGeneration`
     * records it. If either fails, nothing has changed.
     */
    prepareGeneration({ id, account, generation, expiresAt }: Session, client: Client) {
      const jti = randomUUID()
      const next = { id, account, generation: generation + 1, expiresAt, jti }
      const tokens = issuePair(context, next, client, account.scope, accessTokenTtl)
      return { jti, expiresAt, tokens }
    },
  }
}
