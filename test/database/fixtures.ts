/**
 * Databases as earlier versions of the server left them, with a row in every table. Frozen: a new
 * migration never changes this file.
 */
import { sql, type Kysely } from 'kysely'
import Libsql from 'libsql'
import type { Schema } from '../../server/database/schema.ts'

/** The first version, whose table `migrations` said 1. */
const VERSION_1 = `
  CREATE TABLE migrations (version integer primary key);
  CREATE TABLE "clients" ("client_id" text primary key, "client_name" text, "jwk" text not null, "created_at" bigint not null);
  CREATE TABLE "accounts" ("id" text primary key, "email" text not null, "email_key" text not null unique, "name" text, "password_hash" text not null, "scope" text not null, "created_at" bigint not null);
  CREATE TABLE "sessions" ("id" text primary key, "account_id" text not null references "accounts" ("id") on delete cascade, "client_id" text not null references "clients" ("client_id") on delete cascade, "database_key" text not null, "created_at" bigint not null, "last_used_at" bigint not null);
  CREATE INDEX "sessions_account_id" on "sessions" ("account_id");
  insert into migrations (version) values (1);
  insert into clients (client_id, client_name, jwk, created_at) values ('c', 'A phone', '{}', 1);
  insert into accounts (id, email, email_key, name, password_hash, scope, created_at)
    values ('a', 'A@mail.test', 'a@mail.test', 'Ada', 'h', 'user', 2);
  insert into sessions (id, account_id, client_id, database_key, created_at, last_used_at)
    values ('s', 'a', 'c', 'k', 3, 4);`

/** The second, whose table said 1 and 2. */
const VERSION_2 = `${VERSION_1}
  alter table "accounts" add column "version" integer default 0 not null;
  alter table "sessions" add column "expires_at" bigint default 0 not null;
  CREATE INDEX "sessions_expires_at" on "sessions" ("expires_at");
  CREATE TABLE "refresh_tokens" ("jti_hash" text primary key, "session_id" text not null references "sessions" ("id") on delete cascade, "used_at" bigint, "expires_at" bigint not null);
  CREATE INDEX "refresh_tokens_session_id" on "refresh_tokens" ("session_id");
  CREATE TABLE "password_resets" ("jti_hash" text primary key, "account_id" text not null references "accounts" ("id") on delete cascade, "version" integer not null, "expires_at" bigint not null);
  CREATE INDEX "password_resets_account_id" on "password_resets" ("account_id");
  insert into migrations (version) values (2);
  insert into accounts (id, email, email_key, name, password_hash, scope, created_at, version)
    values ('b', 'b@mail.test', 'b@mail.test', null, 'h', 'user admin', 5, 7);
  insert into sessions (id, account_id, client_id, database_key, created_at, last_used_at, expires_at)
    values ('t', 'b', 'c', 'k2', 6, 8, 99);
  insert into refresh_tokens (jti_hash, session_id, used_at, expires_at) values ('r', 't', null, 9);
  insert into password_resets (jti_hash, account_id, version, expires_at) values ('p', 'b', 7, 9);`

/** What a server can find when it starts, as SQL. */
export const STARTS = { empty: '', 'of version 1': VERSION_1, 'of version 2': VERSION_2 } as const
export type Start = keyof typeof STARTS

/** The rows of each start that every later version must keep, by table and key. */
export const ROWS: Readonly<Record<Start, readonly string[]>> = {
  empty: [],
  'of version 1': ['accounts a', 'clients c', 'sessions s'],
  'of version 2': [
    'accounts a',
    'accounts b',
    'clients c',
    'password_resets p',
    'refresh_tokens r',
    'sessions s',
    'sessions t',
  ],
}

export function writeDatabase(file: string, start: Start): void {
  const sqlite = new Libsql(file)
  sqlite.exec(`pragma journal_mode = WAL; ${STARTS[start]}`)
  sqlite.close()
}

const KEYS = {
  accounts: 'id',
  clients: 'client_id',
  password_resets: 'jti_hash',
  refresh_tokens: 'jti_hash',
  sessions: 'id',
}

/** The rows of a migrated database, as in `ROWS`. */
export async function rowsOf(db: Kysely<Schema>): Promise<string[]> {
  const rows: string[] = []
  for (const [table, key] of Object.entries(KEYS)) {
    const found = await sql<{ key: string }>`
      select ${sql.ref(key)} as key from ${sql.table(table)} order by key`.execute(db)
    rows.push(...found.rows.map((row) => `${table} ${row.key}`))
  }
  return rows
}

export interface Definition {
  readonly name: string
  readonly sql: string
}

/** Every table and index of the schema, without those that only record migrations. */
export async function definitionsOf(db: Kysely<Schema>): Promise<Definition[]> {
  const { rows } = await sql<Definition>`
    select name, sql from sqlite_master
    where name not like 'sqlite_%' and name not like 'kysely_migration%' and name <> 'migrations'
    order by name`.execute(db)
  return rows
}
