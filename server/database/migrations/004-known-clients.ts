import { sql, type Kysely, type Migration } from 'kysely'

/** Clients that have signed in to an account, filled from the existing sessions. */
export const knownClients: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('known_clients')
      .addColumn('account_id', 'text', (column) =>
        column.notNull().references('accounts.id').onDelete('cascade'),
      )
      .addColumn('client_id', 'text', (column) =>
        column.notNull().references('clients.client_id').onDelete('cascade'),
      )
      .addColumn('last_sign_in_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('known_clients_primary_key', ['account_id', 'client_id'])
      .execute()
    // For the removal of a client, and for the sweep.
    for (const column of ['client_id', 'last_sign_in_at']) {
      await db.schema
        .createIndex(`known_clients_${column}`)
        .on('known_clients')
        .column(column)
        .execute()
    }
    await sql`
      insert into known_clients (account_id, client_id, last_sign_in_at)
      select account_id, client_id, max(created_at) from sessions group by account_id, client_id
    `.execute(db)
  },
}
