import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { Kysely, SqliteDialect } from 'kysely'
import Libsql from 'libsql'
import { createAccounts } from '../../server/accounts/accounts.ts'
import { isKnownClient } from '../../server/limits/known-clients.ts'
import { createClients, type Client } from '../../server/clients/clients.ts'
import type { Database } from '../../server/database/open.ts'
import type { Account, Schema } from '../../server/database/schema.ts'
import { createLogger } from '../../server/log/logger.ts'
import { endOwnSession, removeAllSessions } from '../../server/sessions/end-sessions.ts'
import { createSessions, type Sessions } from '../../server/sessions/sessions.ts'
import type { AccessTokenClaims, RefreshTokenClaims } from '../../protocol/tokens.ts'
import { someEmail, TestClient } from '../support/client.ts'
import { writeMark } from '../support/database.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { openFilled, sessionIds, signedInBy } from './fixtures.ts'

let server: TestServer
let sessions: Sessions
let testClient: TestClient
let client: Client
let account: Account
/** The account, as a refresh finds it with its session. */
let owner: Account & { database_key: string }

const makeAccount = async () =>
  (await createAccounts(server.database, server.clock).create({
    email: someEmail(),
    name: undefined,
    passwordHash: 'none',
  }))!

beforeAll(async () => {
  server = await startTestServer()
  const { database, config, keystore, clock } = server
  const context = { issuer: config.issuer, algorithms: config.algorithms, keystore, clock }
  const options = {
    accessTokenTtl: 60,
    refreshTokenTtl: 3600,
    refreshReuseInterval: 10,
    sessionMaxAge: 5400,
    maxSessions: 1000,
  }
  sessions = createSessions(database, context, options, createLogger('silent'))
  testClient = await TestClient.registered(server.url)
  client = (await createClients(database, clock, config).find(testClient.id))!
  account = await makeAccount()
  owner = { ...account, database_key: 'sealed' }
})
afterAll(() => server.stop())

const claimsOf = async (pair: { access_token: string; refresh_token: string }) => ({
  access: decodeJwt<AccessTokenClaims>(await testClient.open(pair.access_token)),
  refresh: decodeJwt<RefreshTokenClaims>(await testClient.open(pair.refresh_token)),
})

const start = async () => {
  const signedIn = await signedInBy(sessions.start(account, client))
  return { signedIn, ...(await claimsOf(signedIn)) }
}

const rowOf = (id: string) =>
  server.database.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst()

test('a session starts with tokens of the configured lifetimes', async () => {
  const { signedIn, access, refresh } = await start()
  const iat = Math.floor(server.clock() / 1000)
  expect(signedIn.expires_in).toBe(60)
  expect(access).toMatchObject({ iat, exp: iat + 60, sid: signedIn.session_id, scope: 'user' })
  expect(refresh).toMatchObject({ iat, exp: iat + 3600, sid: signedIn.session_id })
  expect(access.jti).not.toBe(refresh.jti)
})

test('neither a token nor a readable database key is stored', async () => {
  const { signedIn } = await start()
  const row = await rowOf(signedIn.session_id)
  expect(row).toEqual({
    id: signedIn.session_id,
    account_id: account.id,
    client_id: client.id,
    database_key: expect.stringMatching(/^eyJ[\w-]+\.\.(?:[\w-]+\.){2}[\w-]+$/),
    created_at: server.clock(),
    last_used_at: server.clock(),
    expires_at: server.clock() + 3_600_000,
    generation: 0,
  })
  const stored = JSON.stringify(row)
  expect(stored).not.toContain(signedIn.database_key)
  expect(stored).not.toContain(signedIn.access_token)
  expect(stored).not.toContain(signedIn.refresh_token)
})

test('no session starts for an account that has changed since it was read, or is gone', async () => {
  const changed = await makeAccount()
  await server.database
    .updateTable('accounts')
    .set({ version: 1 })
    .where('id', '=', changed.id)
    .execute()
  const before = await writeMark(server.database)
  expect(await sessions.start(changed, client)).toBeUndefined()
  expect(await sessions.start({ ...changed, id: 'nobody' }, client)).toBeUndefined()
  expect(await writeMark(server.database)).toEqual(before)
  await signedInBy(sessions.start({ ...changed, version: 1 }, client))
})

test('no session starts for a client that has been removed, and none ends for it', async () => {
  await start()
  const before = await sessionIds(server.database)
  const gone = { ...client, id: 'gone' }
  await expect(sessions.start(account, gone)).rejects.toMatchObject({ reason: 'unknown_client' })
  expect(await sessionIds(server.database)).toEqual(before)
})

test('a client becomes known when a session starts with it, and not when none starts', async () => {
  const someone = await makeAccount()
  const known = () => isKnownClient(server.database, someone.email_key, client.id, server.clock())
  await sessions.start({ ...someone, version: 7 }, client)
  expect(await known()).toBe(false)
  const session = await signedInBy(sessions.start(someone, client))
  expect(await known()).toBe(true)
  // Even after it has signed out.
  await endOwnSession(server.database, someone.id, session.session_id)
  expect(await known()).toBe(true)
})

test('a session is alive for its own account and client only, until it ends', async () => {
  const { access } = await start()
  expect(await sessions.findAlive(access)).toEqual({
    id: access.sid,
    clientId: client.id,
    account,
    scope: 'user',
    generation: 0,
    expiresAt: server.clock() + 3_600_000,
    sealedDatabaseKey: expect.any(String),
  })
  expect(await sessions.findAlive({ ...access, sub: 'another' })).toBeUndefined()
  expect(await sessions.findAlive({ ...access, client_id: 'another' })).toBeUndefined()
  expect(await sessions.findAlive({ ...access, sid: 'another' })).toBeUndefined()
  expect(await sessions.findAlive({ ...access, gen: 1 })).toBeUndefined()
  expect(await endOwnSession(server.database, account.id, access.sid)).toBe(true)
  expect(await sessions.findAlive(access)).toBeUndefined()
})

test('the scope is the token’s own, which may be narrower than the account’s', async () => {
  const { access } = await start()
  expect(await sessions.findAlive({ ...access, scope: 'less' })).toMatchObject({ scope: 'less' })
})

test('last_used_at is written at most once a minute', async () => {
  const { access } = await start()
  const started = server.clock()
  const lastUsed = async () => ((await rowOf(access.sid))!.last_used_at - started) / 1000
  for (const [advance, isWritten, expected] of [
    [0, false, 0],
    [59, false, 0],
    [1, true, 60],
    [0, false, 60],
    [59, false, 60],
    [100, true, 219],
  ] as const) {
    server.clock.advance(advance)
    const before = JSON.stringify(await writeMark(server.database))
    expect(await sessions.findAlive(access)).toBeDefined()
    const after = JSON.stringify(await writeMark(server.database))
    expect([after !== before, await lastUsed()]).toEqual([isWritten, expected])
  }
})

test('a renewal counts as a use, and extends the session', async () => {
  const { access, refresh } = await start()
  server.clock.advance(30)
  const refreshed = await sessions.refresh(refresh, client, owner, 'user')
  expect(refreshed.outcome).toBe('refreshed')
  expect(await rowOf(access.sid)).toMatchObject({
    last_used_at: server.clock(),
    expires_at: server.clock() + 3_600_000,
  })
})

test('a session that is not renewed expires', async () => {
  const { access, refresh } = await start()
  server.clock.advance(3599)
  expect(await sessions.findAlive(access)).toBeDefined()
  server.clock.advance(1)
  expect(await sessions.findAlive(access)).toBeUndefined()
  // Not "reused", which would raise an alarm.
  expect(await sessions.refresh(refresh, client, owner, 'user')).toEqual({
    outcome: 'unknown',
  })
  expect(await sessions.refresh({ ...refresh, sid: 'x' }, client, owner, '')).toEqual({
    outcome: 'unknown',
  })
})

test('a session and its tokens end at the maximum age, however often it is renewed', async () => {
  const first = await start()
  const started = Math.floor(server.clock() / 1000)
  let { refresh } = first
  for (const [advance, expiresIn, refreshEnd] of [
    [1800, 60, 5400],
    [3500, 60, 5400],
    [70, 30, 5400],
    [29, 1, 5400],
  ] as const) {
    server.clock.advance(advance)
    const refreshed = await sessions.refresh(refresh, client, owner, 'user')
    if (refreshed.outcome !== 'refreshed') throw new Error(refreshed.outcome)
    const claims = await claimsOf(refreshed.tokens)
    const now = Math.floor(server.clock() / 1000)
    expect(refreshed.tokens.expires_in).toBe(expiresIn)
    expect(claims.access.exp).toBe(now + expiresIn)
    expect(claims.refresh.exp - started).toBe(refreshEnd)
    refresh = claims.refresh
  }
  expect(await sessions.findAlive(first.access)).toBeDefined()
  server.clock.advance(1)
  expect(await sessions.findAlive(first.access)).toBeUndefined()
  expect(await sessions.refresh(refresh, client, owner, 'user')).toEqual({
    outcome: 'unknown',
  })
})

test('a maximum age below every lifetime caps the first tokens, too', async () => {
  const { config, keystore, clock } = server
  const context = { issuer: config.issuer, algorithms: config.algorithms, keystore, clock }
  const options = {
    accessTokenTtl: 900,
    refreshTokenTtl: 3600,
    refreshReuseInterval: 10,
    sessionMaxAge: 300,
    maxSessions: 1000,
  }
  const short = createSessions(server.database, context, options, createLogger('silent'))
  const signedIn = await signedInBy(short.start(account, client))
  const { access, refresh } = await claimsOf(signedIn)
  const now = Math.floor(clock() / 1000)
  expect([signedIn.expires_in, access.exp - now, refresh.exp - now]).toEqual([300, 300, 300])
})

describe('while another process tries to write after every statement', () => {
  let folder: string
  let file: string
  let db: Database
  const tries: string[] = []
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sessions-'))
    file = join(folder, 'auth.db')
    const { publicJwk, id } = testClient
    db = await openFilled(file)
    await db
      .insertInto('clients')
      .values({ client_id: id, client_name: null, jwk: JSON.stringify(publicJwk), created_at: 0 })
      .execute()
    tries.length = 0
  })
  afterEach(async () => {
    await db.destroy()
    await rm(folder, { recursive: true, force: true })
  })

  /** Works with sessions in that database, and records each try of the other process in `tries`. */
  async function interfered<T>(work: (sessions: Sessions) => Promise<T>): Promise<T> {
    const other = new Libsql(file)
    const racing = new Kysely<Schema>({
      dialect: new SqliteDialect({ database: new Libsql(file) }),
      log({ query }) {
        try {
          other.exec(`update clients set client_name = 'x' where client_id = 'tab'`)
          tries.push(`${query.sql.split(' ')[0]}: written`)
        } catch (error) {
          tries.push(`${query.sql.split(' ')[0]}: ${(error as Error).message}`)
        }
      },
    })
    const { config, keystore, clock } = server
    const context = { issuer: config.issuer, algorithms: config.algorithms, keystore, clock }
    try {
      return await work(createSessions(racing, context, config, createLogger('silent')))
    } finally {
      other.close()
      await racing.destroy()
    }
  }

  const ada = () =>
    db.selectFrom('accounts').selectAll().where('id', '=', 'ada').executeTakeFirstOrThrow()

  test('a session starts', async () => {
    const account = await ada()
    const signedIn = await interfered((racing) => signedInBy(racing.start(account, client)))
    expect(signedIn).toBeDefined()
    expect(await sessionIds(db)).toEqual([signedIn.session_id])
    expect(tries.slice(0, 2)).toEqual(['begin: written', 'update: database is locked'])
    expect(tries.at(-1)).toBe('commit: written')
  })

  test('a session is renewed', async () => {
    const account = await ada()
    const refreshed = await interfered(async (racing) => {
      const { refresh } = await claimsOf(await signedInBy(racing.start(account, client)))
      tries.length = 0
      return racing.refresh(refresh, client, owner, 'user')
    })
    expect(refreshed.outcome).toBe('refreshed')
    expect(tries.slice(0, 2)).toEqual(['begin: written', 'update: database is locked'])
    expect(tries.at(-1)).toBe('commit: written')
  })
})

test('all sessions are removed, and counted', async () => {
  await removeAllSessions(server.database)
  const { access } = await start()
  await start()
  expect(await removeAllSessions(server.database)).toBe(2)
  expect(await sessions.findAlive(access)).toBeUndefined()
  expect(await removeAllSessions(server.database)).toBe(0)
  expect(await server.database.selectFrom('refresh_tokens').selectAll().execute()).toEqual([])
})
