/** Database rows for tests that need no server. */
import { openDatabase, type Database } from '../../server/database/open.ts'
import { openTestDatabase } from '../support/database.ts'
import type { Sessions } from '../../server/sessions/sessions.ts'
import type { Session } from '../../server/sessions/session.ts'

export const NOW = Date.parse('2026-01-01T00:00:00Z')

/** The answer of a session, which must have started. */
export async function signedInBy(start: ReturnType<Sessions['start']>) {
  const started = await start
  if (started === undefined) throw new Error('The session has not started.')
  return started.signedIn
}

interface SessionFields {
  readonly accountId?: string
  readonly clientId?: string
  readonly createdAt?: number
  readonly lastUsedAt?: number
  readonly expiresAt?: number
}

/**
 * A database with the accounts `ada` and `bob` and the clients `phone`, of that name, and `tab`.
 *
 * @param file Of a SQLite database, for tests that also use it in another way.
 */
export async function openFilled(file?: string): Promise<Database> {
  const db = await (file === undefined ? openTestDatabase() : openDatabase(file))
  await fill(db)
  return db
}

export async function fill(db: Database): Promise<void> {
  await db
    .insertInto('clients')
    .values([
      { client_id: 'phone', client_name: 'A phone', jwk: '{}', created_at: NOW },
      { client_id: 'tab', client_name: null, jwk: '{}', created_at: NOW },
    ])
    .execute()
  await db
    .insertInto('accounts')
    .values(
      ['ada', 'bob'].map((id) => ({
        id,
        email: `${id}@mail.test`,
        email_key: `${id}@mail.test`,
        name: null,
        password_hash: 'none',
        scope: 'user',
        created_at: NOW,
      })),
    )
    .execute()
}

export const sessionRow = (id: string, fields: SessionFields = {}) => ({
  id,
  account_id: fields.accountId ?? 'ada',
  client_id: fields.clientId ?? 'phone',
  database_key: 'sealed',
  created_at: fields.createdAt ?? NOW,
  last_used_at: fields.lastUsedAt ?? fields.createdAt ?? NOW,
  expires_at: fields.expiresAt ?? NOW + 3_600_000,
})

export async function addSession(db: Database, id: string, fields?: SessionFields): Promise<void> {
  await db.insertInto('sessions').values(sessionRow(id, fields)).execute()
}

/** A session as it is found for a request: see `findAlive`. */
export async function sessionOf(db: Database, id: string): Promise<Session> {
  const row = await db
    .selectFrom('sessions')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const account = await db
    .selectFrom('accounts')
    .selectAll()
    .where('id', '=', row.account_id)
    .executeTakeFirstOrThrow()
  return {
    id,
    account,
    clientId: row.client_id,
    scope: account.scope,
    generation: row.generation,
    expiresAt: row.expires_at,
    sealedDatabaseKey: row.database_key,
  }
}

export const sessionIds = async (db: Database) =>
  (await db.selectFrom('sessions').select('id').orderBy('id').execute()).map(({ id }) => id)
