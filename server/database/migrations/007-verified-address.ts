import type { Kysely, Migration } from 'kysely'

/** It was not recorded whether addresses were proved, so no existing address counts as proved. */
export const verifiedAddress: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('accounts').addColumn('email_verified_at', 'bigint').execute()
  },
}
