import type { Kysely, Migration } from 'kysely'

/** Sessions and tokens from before are of generation 0; their refresh tokens get a salt when used. */
export const sessionLineage: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .alterTable('sessions')
      .addColumn('generation', 'integer', (column) => column.notNull().defaultTo(0))
      .execute()
    await db.schema.alterTable('refresh_tokens').addColumn('salt', 'text').execute()
  },
}
