import type { Kysely, Migration } from 'kysely'

/** Whether an account's address was proved is not on record so far, so none counts as proved. */
export const verifiedAddress: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('accounts').addColumn('email_verified_at', 'bigint').execute()
  },
}
