import { randomUUID } from 'node:crypto'
import type { AccountFields } from '../../protocol/account.ts'
import type { Database } from '../database/open.ts'
import type { Account } from '../database/schema.ts'
import { forgetClientsOf } from '../limits/known-clients.ts'
import { endSessionsOf } from '../sessions/end-sessions.ts'
import { asSession } from '../sessions/lock-session.ts'
import { beginGeneration, type NextRefreshToken } from '../sessions/refresh-tokens.ts'
import type { Session } from '../sessions/session.ts'
import { changeAccount } from './change-account.ts'
import { emailKey } from './email.ts'

/** The scope of a new account. */
const DEFAULT_SCOPE = 'user'

/** Omitted fields are null. */
type NewAccount = { readonly email: string; readonly passwordHash: string } & {
  readonly [Field in keyof AccountFields]?: AccountFields[Field] | undefined
}

export type Accounts = ReturnType<typeof createAccounts>

export function createAccounts(db: Database, clock: () => number) {
  const all = () => db.selectFrom('accounts').selectAll()
  return {
    /** The new account, or `undefined` if the address already has an account. */
    create: ({ email, passwordHash, ...fields }: NewAccount): Promise<Account | undefined> =>
      db
        .insertInto('accounts')
        .values({
          // Kysely omits undefined values.
          ...(fields as Partial<AccountFields>),
          id: randomUUID(),
          email,
          email_key: emailKey(email),
          password_hash: passwordHash,
          scope: DEFAULT_SCOPE,
          created_at: clock(),
        })
        .onConflict((conflict) => conflict.column('email_key').doNothing())
        .returningAll()
        .executeTakeFirst(),

    find: (id: string) => all().where('id', '=', id).executeTakeFirst(),

    findByEmail: (email: string) =>
      all().where('email_key', '=', emailKey(email)).executeTakeFirst(),

    /** @throws RefusedError */
    async rename(session: Session, name: string): Promise<void> {
      await asSession(db, session, clock(), (trx) =>
        trx.updateTable('accounts').set({ name }).where('id', '=', session.account.id).execute(),
      )
    },

    /**
     * Ends every other session, and every token of this session before `next`. Every other client
     * becomes unknown.
     *
     * @returns The ids of the ended sessions.
     * @throws RefusedError
     */
    changePassword: (session: Session, passwordHash: string, next: NextRefreshToken) =>
      asSession(db, session, clock(), async (trx) => {
        await changeAccount(trx, session.account, { password_hash: passwordHash })
        await beginGeneration(trx, session.id, next)
        await forgetClientsOf(trx, session.account.id, session.clientId)
        return endSessionsOf(trx, session.account.id, session.id)
      }),

    /** Stores the same password hashed with other parameters. This is not a change of password. */
    async rehash({ id, version }: Account, passwordHash: string): Promise<void> {
      await db
        .updateTable('accounts')
        .set({ password_hash: passwordHash })
        .where('id', '=', id)
        .where('version', '=', version)
        .execute()
    },

    /**
     * Removes the session's account and, with it, its sessions and their keys.
     *
     * @throws RefusedError
     */
    async remove(session: Session): Promise<void> {
      await asSession(db, session, clock(), (trx) =>
        trx.deleteFrom('accounts').where('id', '=', session.account.id).execute(),
      )
    },
  }
}
