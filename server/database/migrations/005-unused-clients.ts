import type { Kysely, Migration } from 'kysely'

/** Existing clients have no expiry, so they count as used. */
export const unusedClients: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('clients').addColumn('expires_at', 'bigint').execute()
    await db.schema
      .createIndex('clients_expires_at')
      .on('clients')
      .column('expires_at')
      .where('expires_at', 'is not', null)
      .execute()
    // To remove a client, the database looks for its sessions.
    await db.schema.createIndex('sessions_client_id').on('sessions').column('client_id').execute()
  },
}
