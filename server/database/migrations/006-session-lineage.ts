import type { Kysely, Migration } from 'kysely'

/**
 * Existing sessions and tokens have generation 0. Their refresh tokens get a salt when they are
 * used.
 */
export const sessionLineage: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .alterTable('sessions')
      .addColumn('generation', 'integer', (column) => column.notNull().defaultTo(0))
      .execute()
    await db.schema.alterTable('refresh_tokens').addColumn('salt', 'text').execute()
  },
}
