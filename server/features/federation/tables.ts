import type { Kysely } from 'kysely'
import type { Database } from '../../database/open.ts'
import type { Schema } from '../../database/schema.ts'
import type { History } from '../../database/migrate.ts'

/** The feature's own tables. Times are milliseconds since the epoch. */
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- Kysely wants an index signature
type Tables = {
  identities: IdentityRow
  used_id_tokens: UsedIdTokenRow
}

export interface IdentityRow {
  id: string
  account_id: string
  issuer: string
  subject: string
  /**
   * 1 if the account's address was already proved when the identity was linked. Otherwise a stranger
   * may have linked it, so the identity is dead once the owner proves the address.
   */
  linked_after_proof: number
  created_at: number
}

interface UsedIdTokenRow {
  /** See id-token.ts. */
  id: string
  expires_at: number
}

export type FederationSchema = Schema & Tables
export type FederationDatabase = Kysely<FederationSchema>

export const federationDatabase = (database: Database): FederationDatabase =>
  database.withTables<Tables>()

export const FEDERATION_HISTORY: History = {
  table: 'federation_migration',
  migrations: {
    '001-identities': {
      async up(db: Kysely<unknown>) {
        await db.schema
          .createTable('identities')
          .addColumn('id', 'text', (column) => column.primaryKey())
          .addColumn('account_id', 'text', (column) =>
            column.notNull().references('accounts.id').onDelete('cascade'),
          )
          .addColumn('issuer', 'text', (column) => column.notNull())
          .addColumn('subject', 'text', (column) => column.notNull())
          .addColumn('linked_after_proof', 'integer', (column) => column.notNull())
          .addColumn('created_at', 'bigint', (column) => column.notNull())
          .addUniqueConstraint('identities_issuer_subject', ['issuer', 'subject'])
          .execute()
        await db.schema
          .createIndex('identities_account_id')
          .on('identities')
          .column('account_id')
          .execute()
        await db.schema
          .createTable('used_id_tokens')
          .addColumn('id', 'text', (column) => column.primaryKey())
          .addColumn('expires_at', 'bigint', (column) => column.notNull())
          .execute()
        await db.schema
          .createIndex('used_id_tokens_expires_at')
          .on('used_id_tokens')
          .column('expires_at')
          .execute()
      },
    },
  },
}
