import { sql, type Kysely } from 'kysely'
import type { History } from '../../database/migrate.ts'
import type { Schema } from '../../database/schema.ts'

/** What several servers count and remember together. Times are milliseconds since the epoch. */
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- Kysely wants an index signature
type SharedTables = {
  /** The bound requests that have been seen. */
  replays: { id: Buffer; expires_at: number }
  /** One row: it is unknown what was seen before this time. */
  replay_epoch: { begun_at: number }
  /** As rate-limiter-flexible expects it. */
  rate_limits: { key: string; points: number; expire: number }
  wrong_passwords: WrongPasswordsRow
}

/** See limits/failure-counts.ts. */
export interface WrongPasswordsRow {
  key: string
  failures: number
  failed_at: number
  reserved: number
  reserved_at: number
}

export const SHARED_TABLES: readonly (keyof SharedTables)[] = [
  ...(['replays', 'replay_epoch', 'rate_limits', 'wrong_passwords'] as const),
]

export type SharedDatabase = Kysely<Schema & SharedTables>

export const sharedDatabase = (db: Kysely<Schema>): SharedDatabase => db.withTables<SharedTables>()

/**
 * Unlogged tables cost no write-ahead log, and are empty after a crash of the database. Then the
 * epoch is missing too, which is how a server learns that bound requests have been forgotten.
 */
export const SHARED_HISTORY: History = {
  table: 'shared_tables_migration',
  migrations: {
    '001-shared-tables': {
      async up(db: Kysely<unknown>) {
        for (const statement of [
          sql`create unlogged table replays (id bytea primary key, expires_at bigint not null)`,
          sql`create index replays_expires_at on replays (expires_at)`,
          sql`create unlogged table replay_epoch (
            only_row boolean primary key default true check (only_row), begun_at bigint not null)`,
          // Nothing has been accepted yet, so nothing is forgotten.
          sql`insert into replay_epoch (begun_at) values (0)`,
          sql`create unlogged table rate_limits (
            key text primary key, points integer not null, expire bigint not null)`,
          sql`create index rate_limits_expire on rate_limits (expire)`,
          sql`create table wrong_passwords (
            key text primary key, failures integer not null, failed_at bigint not null,
            reserved integer not null, reserved_at bigint not null)`,
          sql`create index wrong_passwords_failed_at on wrong_passwords (failed_at)`,
        ]) {
          await statement.execute(db)
        }
      },
    },
  },
}
