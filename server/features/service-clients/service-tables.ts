import type { Kysely } from 'kysely'
import type { History } from '../../database/migrate.ts'
import type { Database } from '../../database/open.ts'
import type { Schema } from '../../database/schema.ts'

/** The feature's own tables. Times are milliseconds since the epoch. */
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- Kysely wants an index signature
type Tables = {
  service_clients: ServiceClientRow
  used_assertions: UsedAssertionRow
}

export interface ServiceClientRow {
  /** The thumbprint of its encryption key. */
  client_id: string
  client_name: string
  /** JSON: the public members of the key, and its `alg`. */
  signing_key: string
  /** The same. */
  encryption_key: string
  /** RFC 6749 §3.3: words, space-separated. */
  scope: string
  created_at: number
}

interface UsedAssertionRow {
  /** See used-assertions.ts. */
  id: string
  expires_at: number
}

export type ServiceDatabase = Kysely<Schema & Tables>

export const serviceDatabase = (database: Database): ServiceDatabase =>
  database.withTables<Tables>()

export const SERVICE_HISTORY: History = {
  table: 'service_clients_migration',
  migrations: {
    '001-service-clients': {
      async up(db: Kysely<unknown>) {
        await db.schema
          .createTable('service_clients')
          .addColumn('client_id', 'text', (column) => column.primaryKey())
          .addColumn('client_name', 'text', (column) => column.notNull())
          .addColumn('signing_key', 'text', (column) => column.notNull())
          .addColumn('encryption_key', 'text', (column) => column.notNull())
          .addColumn('scope', 'text', (column) => column.notNull())
          .addColumn('created_at', 'bigint', (column) => column.notNull())
          .execute()
        await db.schema
          .createTable('used_assertions')
          .addColumn('id', 'text', (column) => column.primaryKey())
          .addColumn('expires_at', 'bigint', (column) => column.notNull())
          .execute()
        await db.schema
          .createIndex('used_assertions_expires_at')
          .on('used_assertions')
          .column('expires_at')
          .execute()
      },
    },
  },
}
