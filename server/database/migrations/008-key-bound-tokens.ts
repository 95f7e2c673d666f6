import type { Kysely, Migration } from 'kysely'

/** Existing clients did not ask for key-bound tokens, so they get none. */
export const keyBoundTokens: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .alterTable('clients')
      .addColumn('key_bound_tokens', 'integer', (column) => column.notNull().defaultTo(0))
      .execute()
  },
}
