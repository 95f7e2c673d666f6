import { sql, type Kysely, type Transaction } from 'kysely'
import { StartupError } from '../startup-error.ts'
import type { Schema } from './schema.ts'

type Migration = (db: Transaction<Schema>) => Promise<void>

/** In order; the version of a database is how many of them it has. Append, never change one. */
const MIGRATIONS: readonly Migration[] = [clientsAccountsSessions, refreshAndReset]

/**
 * Brings the database to this version of the server: all missing migrations, in one transaction.
 *
 * @throws StartupError for a database that a newer version of the server has changed.
 */
export async function migrate(db: Kysely<Schema>): Promise<void> {
  await sql`create table if not exists migrations (version integer primary key)`.execute(db)
  await db.transaction().execute(async (trx) => {
    // Takes the write lock before the first read, so that of two servers that start at once one waits.
    await sql`delete from migrations where version < 0`.execute(trx)
    const { rows } = await sql<{ version: number | null }>`
      select max(version) as version from migrations`.execute(trx)
    const version = rows[0]?.version ?? 0
    if (version > MIGRATIONS.length) {
      throw new StartupError([
        `The database is of version ${version}, and this server knows up to ${MIGRATIONS.length}. Run the newer server, or restore a backup from before it.`,
      ])
    }
    for (const [index, migration] of MIGRATIONS.entries()) {
      if (index < version) continue
      await migration(trx)
      await sql`insert into migrations (version) values (${index + 1})`.execute(trx)
    }
  })
}

async function clientsAccountsSessions(db: Transaction<Schema>): Promise<void> {
  await db.schema
    .createTable('clients')
    .addColumn('client_id', 'text', (column) => column.primaryKey())
    .addColumn('client_name', 'text')
    .addColumn('jwk', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('accounts')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('email', 'text', (column) => column.notNull())
    .addColumn('email_key', 'text', (column) => column.notNull().unique())
    .addColumn('name', 'text')
    .addColumn('password_hash', 'text', (column) => column.notNull())
    .addColumn('scope', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('sessions')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('account_id', 'text', (column) =>
      column.notNull().references('accounts.id').onDelete('cascade'),
    )
    .addColumn('client_id', 'text', (column) =>
      column.notNull().references('clients.client_id').onDelete('cascade'),
    )
    .addColumn('database_key', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('last_used_at', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema.createIndex('sessions_account_id').on('sessions').column('account_id').execute()
}

async function refreshAndReset(db: Transaction<Schema>): Promise<void> {
  await db.schema
    .alterTable('accounts')
    .addColumn('version', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await db.schema
    .alterTable('sessions')
    .addColumn('expires_at', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute()
  await db.schema.createIndex('sessions_expires_at').on('sessions').column('expires_at').execute()
  await db.schema
    .createTable('refresh_tokens')
    .addColumn('jti_hash', 'text', (column) => column.primaryKey())
    .addColumn('session_id', 'text', (column) =>
      column.notNull().references('sessions.id').onDelete('cascade'),
    )
    .addColumn('used_at', 'bigint')
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createIndex('refresh_tokens_session_id')
    .on('refresh_tokens')
    .column('session_id')
    .execute()
  await db.schema
    .createTable('password_resets')
    .addColumn('jti_hash', 'text', (column) => column.primaryKey())
    .addColumn('account_id', 'text', (column) =>
      column.notNull().references('accounts.id').onDelete('cascade'),
    )
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createIndex('password_resets_account_id')
    .on('password_resets')
    .column('account_id')
    .execute()
}
