import { randomUUID } from 'node:crypto'
import type { RegisteredClaims } from '../../../protocol/tokens.ts'
import type { Background } from './background.ts'
import { handOver } from '../../accounts/change-account.ts'
import type { Core } from '../../composition.ts'
import { deleteExpired } from '../../database/delete-expired.ts'
import type { Account } from '../../database/schema.ts'
import { inTransaction } from '../../database/transaction.ts'
import type { Logger } from '../../log/logger.ts'
import type { Mailer } from './mailer/mailer.ts'
import { resetMessage } from './mailer/reset-message.ts'
import { resetToken } from './reset-token.ts'
import { lockAccount } from '../../sessions/lock-session.ts'
import { hashJti } from '../../sessions/refresh-tokens.ts'
import { issue } from '../../token/issue.ts'
import { TokenError } from '../../errors/token-error.ts'
import { validate, type ValidToken } from '../../token/validate.ts'
import { UnavailableError } from '../../errors/unavailable-error.ts'

/** Seconds. */
const RESET_TOKEN_TTL = 15 * 60
/**
 * Messages to one account within `MAIL_WINDOW`, so that nobody's mailbox is flooded. Only mailed tokens
 * that still work count, so a person who gets no further message has five working tokens. Replacing
 * the oldest token instead would let strangers invalidate each message before it is read.
 */
const MAX_MAILS = 5
/** Milliseconds. Shorter than a token's lifetime, so a token that counts works for five minutes more. */
const MAIL_WINDOW = 10 * 60_000
/** Requests whose mail has not been sent yet. Beyond this number, everybody gets a 503. */
const QUEUE = 1000

type Dependencies = Pick<Core, 'accounts' | 'database' | 'tokens'>

/** A valid reset token and its account. */
export interface FoundReset extends Pick<ValidToken<RegisteredClaims>, 'claims' | 'header'> {
  readonly account: Account
  readonly jtiHash: string
}

export interface PasswordResets {
  /**
   * Mails a reset token if the address has an account. Returns at once in every case: it looks up the
   * account after the answer, so that the response time reveals nothing.
   *
   * @throws UnavailableError if too many requests are waiting.
   */
  request(email: string, log: Logger): void
  /** Finds a reset token that can still be used, without using it up. */
  find(token: string): Promise<FoundReset | undefined>
  /**
   * Uses up a reset token, sets the password, ends every session and returns their ids. Returns
   * `undefined` if the token is gone or the account has changed since `find`.
   */
  complete(found: FoundReset, passwordHash: string): Promise<string[] | undefined>
  /** Removes expired tokens: see feature.ts. */
  readonly sweep: (now: number) => Promise<number>
}

export function createPasswordResets(
  { accounts, database, tokens }: Dependencies,
  mailer: Mailer,
  background: Background,
): PasswordResets {
  async function hasEnough({ id, version }: Account): Promise<boolean> {
    const rows = await database
      .selectFrom('password_resets')
      .select('jti_hash')
      .where('account_id', '=', id)
      .where('version', '=', version)
      .where('expires_at', '>', tokens.clock() + RESET_TOKEN_TTL * 1000 - MAIL_WINDOW)
      .limit(MAX_MAILS)
      .execute()
    return rows.length === MAX_MAILS
  }

  /** Mails a token. Removes it on failure, so that it does not count as mailed. */
  async function send(account: Account, token: string, jtiHash: string, log: Logger) {
    try {
      await mailer.send(resetMessage(account, token, RESET_TOKEN_TTL))
    } catch (error) {
      logFailure(log, error)
      await database.deleteFrom('password_resets').where('jti_hash', '=', jtiHash).execute()
    }
  }

  async function prepare(email: string, log: Logger): Promise<void> {
    const account = await accounts.findByEmail(email)
    const jti = randomUUID()
    // Also for an unknown address, so that the timing of later answers reveals nothing.
    const token = issue(
      tokens,
      resetToken,
      { sub: account?.id ?? randomUUID(), aud: resetToken.audience, jti },
      tokens.keystore.encryptionKey,
      RESET_TOKEN_TTL,
    )
    if (account === undefined || (await hasEnough(account))) return
    const jtiHash = hashJti(jti)
    await database
      .insertInto('password_resets')
      .values({
        jti_hash: jtiHash,
        account_id: account.id,
        version: account.version,
        expires_at: tokens.clock() + RESET_TOKEN_TTL * 1000,
      })
      .execute()
    // Not awaited, so that the duration of one mail does not show in the timing of the next.
    background.track(
      send(account, token, jtiHash, log).catch((error: unknown) => {
        logFailure(log, error)
      }),
    )
  }

  return {
    request(email, log) {
      if (background.size >= QUEUE) {
        throw new UnavailableError('too many password resets are waiting to be sent', 10)
      }
      background.run(() =>
        prepare(email, log).catch((error: unknown) => {
          logFailure(log, error)
        }),
      )
    },
    async find(token) {
      try {
        const { claims, header } = await validate(tokens, resetToken, token)
        const jtiHash = hashJti(claims.jti)
        const row = await database
          .selectFrom('password_resets')
          .innerJoin('accounts', (join) =>
            join
              .onRef('accounts.id', '=', 'password_resets.account_id')
              .onRef('accounts.version', '=', 'password_resets.version'),
          )
          .selectAll('accounts')
          .where('jti_hash', '=', jtiHash)
          .where('account_id', '=', claims.sub)
          .where('expires_at', '>', tokens.clock())
          .executeTakeFirst()
        return row && { account: row, jtiHash, claims, header }
      } catch (error) {
        if (error instanceof TokenError) return undefined
        throw error
      }
    },
    complete: ({ account, jtiHash }, passwordHash) =>
      inTransaction(database, async (trx) => {
        if (!(await lockAccount(trx, account))) return undefined
        // Delete the account's other tokens too, because its new version makes them useless.
        const used = await trx
          .deleteFrom('password_resets')
          .where('account_id', '=', account.id)
          .returning('jti_hash')
          .execute()
        if (!used.some(({ jti_hash }) => jti_hash === jtiHash)) return undefined
        // The token was mailed to the account's address, which proves the address.
        const verifiedAt = account.email_verified_at ?? tokens.clock()
        return handOver(trx, account, {
          password_hash: passwordHash,
          email_verified_at: verifiedAt,
        })
      }),
    sweep: (now) => deleteExpired(database, 'password_resets', now),
  }
}

function logFailure(log: Logger, error: unknown): void {
  log.error({ err: error }, 'the password reset could not be sent')
}
