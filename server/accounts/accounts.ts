import { randomUUID } from 'node:crypto'
import type { Database } from '../database/open.ts'
import type { AccountRow } from '../database/schema.ts'
import { emailKey } from './email.ts'

export type Account = AccountRow

/** What a new account may do. */
const DEFAULT_SCOPE = 'user'

export interface NewAccount {
  readonly email: string
  readonly name: string | undefined
  readonly passwordHash: string
}

export interface Accounts {
  /** The new account, or `undefined` where the address has one. */
  create(account: NewAccount): Promise<Account | undefined>
  findByEmail(email: string): Promise<Account | undefined>
  rename(id: string, name: string): Promise<void>
  setPasswordHash(id: string, passwordHash: string): Promise<void>
  /** Removes the account and, with it, its sessions and their keys. */
  remove(id: string): Promise<void>
}

export function createAccounts(db: Database, clock: () => number): Accounts {
  return {
    async create({ email, name, passwordHash }) {
      return db
        .insertInto('accounts')
        .values({
          id: randomUUID(),
          email,
          email_key: emailKey(email),
          name: name ?? null,
          password_hash: passwordHash,
          scope: DEFAULT_SCOPE,
          created_at: clock(),
        })
        .onConflict((conflict) => conflict.column('email_key').doNothing())
        .returningAll()
        .executeTakeFirst()
    },
    findByEmail: (email) =>
      db
        .selectFrom('accounts')
        .selectAll()
        .where('email_key', '=', emailKey(email))
        .executeTakeFirst(),
    async rename(id, name) {
      await db.updateTable('accounts').set({ name }).where('id', '=', id).execute()
    },
    async setPasswordHash(id, passwordHash) {
      await db
        .updateTable('accounts')
        .set({ password_hash: passwordHash })
        .where('id', '=', id)
        .execute()
    },
    async remove(id) {
      await db.deleteFrom('accounts').where('id', '=', id).execute()
    },
  }
}

/** An account as its owner sees it. Yours to replace: what else they may see. */
export function presentAccount({ id, email, name, scope, created_at }: Account) {
  return { id, email, name, scope, created_at: new Date(created_at).toISOString() }
}
