/** The key to a client's local data, whatever happens to the server's key that encrypts it. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { base64url, CompactEncrypt, decodeProtectedHeader, importJWK, type JWK } from 'jose'
import type { Database } from '../../server/database/open.ts'
import { generateKeys, pruneKeys, rotateKeys } from '../../server/commands/keys/folder-changes.ts'
import type { KeyFolder } from '../../server/keystore/folder.ts'
import { followFolder } from '../../server/keystore/follow-folder.ts'
import { loadKeys } from '../../server/keystore/key-set.ts'
import { createKeystore, type Keystore } from '../../server/keystore/keystore.ts'
import { createLogger } from '../../server/log/logger.ts'
import { DEFAULTS, emptyFolder } from '../keystore/fixtures.ts'
import { createClock, type TestClock } from '../support/clock.ts'
import { TestClient, type Answer, type TestSession } from '../support/client.ts'
import { logLines } from '../support/log-lines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { openTestDatabase } from '../support/database.ts'

/** How long a previous key is kept, in milliseconds. */
const KEEP = 3_600_000

let folder: KeyFolder
let database: Database
let clock: TestClock
let one: TestServer & { keys: Keystore }
/** Shares the database and the folder with the first. Neither reads the folder by itself. */
let other: typeof one
let client: TestClient
let session: TestSession
const followers: ReturnType<typeof followFolder>[] = []

beforeEach(async () => {
  folder = { path: await emptyFolder(), passphrase: undefined, algorithms: DEFAULTS }
  await generateKeys(folder)
  database = await openTestDatabase()
  clock = createClock()
  one = await start()
  other = await start()
  client = await TestClient.registered(one.url)
  session = await client.signUp()
})
afterEach(async () => {
  for (const follower of followers.splice(0)) follower.stop()
  await Promise.all([one.stop(), other.stop()])
  await database.destroy()
})

async function start() {
  const keys = createKeystore(await loadKeys(folder))
  return { ...(await startTestServer({ keystore: keys, database, clock })), keys }
}

/** Lets a server read the folder for unknown keys, and at no other time. */
const lookOnly = (server: typeof one) => {
  server.keys.follow(async () => {
    await reload(server)
  })
}

/** Makes the folder unreadable for a server that follows it. */
async function takeFolder({ keys }: typeof one) {
  await rename(folder.path, `${folder.path}-away`)
  const follower = followFolder(keys, createLogger('silent'), { folder, fingerprint: '' }, Date.now)
  followers.push(follower)
  return async function giveBack(): Promise<void> {
    await rename(`${folder.path}-away`, folder.path)
    await follower.reload()
  }
}

const reload = async ({ keys }: typeof one) => keys.replace(await loadKeys(folder))
const rotate = () => rotateKeys(folder, Date.now(), KEEP)

/** Seals a JWS to a server's key. */
async function seal(jws: string, { url }: TestServer): Promise<string> {
  const { keys } = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: JWK[] }
  const jwk = keys.find(({ use }) => use === 'enc')!
  return new CompactEncrypt(new TextEncoder().encode(jws))
    .setProtectedHeader({ alg: jwk.alg!, enc: 'A128GCM', kid: jwk.kid!, cty: 'JWT' })
    .encrypt(await importJWK(jwk, jwk.alg))
}

async function send(server: TestServer, path: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(server.url + path, init)
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: JSON.parse(text), text }
}

/** Sends `GET /account` to a server, with a token sealed to its key or another's. */
async function read(server: TestServer, { accessJws }: { accessJws: string }, sealedTo = server) {
  const headers = { authorization: `Bearer ${await seal(accessJws, sealedTo)}` }
  return send(server, '/account', { headers })
}

async function refresh(server: TestServer, { refreshJws }: { refreshJws: string }) {
  const body = { grant_type: 'refresh_token', refresh_token: await seal(refreshJws, server) }
  const headers = { 'content-type': 'application/json' }
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  const answer = await send(server, '/token', init)
  expect(answer.status).toBe(200)
  return {
    accessJws: await client.open(answer.body.access_token),
    refreshJws: await client.open(answer.body.refresh_token),
  }
}

const stored = async (sessionId = session.sessionId) => {
  const { database_key } = await database
    .selectFrom('sessions')
    .select('database_key')
    .where('id', '=', sessionId)
    .executeTakeFirstOrThrow()
  return database_key
}
const store = (sealed: string, sessionId = session.sessionId) =>
  database
    .updateTable('sessions')
    .set({ database_key: sealed })
    .where('id', '=', sessionId)
    .execute()

const expectKey = (answer: Answer, key: string | null) => {
  expect([answer.status, answer.body.database_key]).toEqual([200, key])
}
const expectUnavailable = (answer: Answer) => {
  expect([answer.status, answer.body.error]).toEqual([503, 'temporarily_unavailable'])
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
}

describe('of two servers, one that has not noticed a rotation', () => {
  /** The first server encrypts the stored key with a key that the second has never loaded. */
  async function leaveBehind() {
    await rotate()
    await rotate()
    await reload(one)
    return refresh(one, session)
  }

  test('reads the folder and opens the database key', async () => {
    await leaveBehind()
    lookOnly(other)
    expectKey(await read(other, session), session.databaseKey)
  })

  test('answers 503 while it cannot load the key, and the session stays', async () => {
    const renewed = await leaveBehind()
    const sealed = await stored()
    expectUnavailable(await read(other, session))
    expect(await stored()).toBe(sealed)
    expectKey(await read(one, session), session.databaseKey)
    await reload(other)
    expectKey(await read(other, session), session.databaseKey)
    expectKey(await read(other, renewed), session.databaseKey)
  })

  test('answers 503 while the folder cannot be read, and the session stays', async () => {
    const renewed = await leaveBehind()
    const giveBack = await takeFolder(other)
    expectUnavailable(await read(other, session))
    // The same holds for a token that is signed or encrypted with an unknown key.
    expectUnavailable(await read(other, renewed))
    expectUnavailable(await read(other, renewed, one))
    await giveBack()
    expectKey(await read(other, session), session.databaseKey)
    expectKey(await read(other, renewed), session.databaseKey)
  })

  test('accepts tokens of the other one', async () => {
    const renewed = await leaveBehind()
    lookOnly(other)
    expectKey(await read(other, renewed, one), session.databaseKey)
    await refresh(other, renewed)
  })

  test('does not move the stored key to an older key when it renews the session', async () => {
    await rotate()
    await reload(one)
    const renewed = await refresh(one, session)
    const sealed = await stored()
    expect(decodeProtectedHeader(sealed).kid).toBe(one.keys.encryptionKey.kid)
    expect(other.keys.encryptionKey.kid).not.toBe(one.keys.encryptionKey.kid)
    await refresh(other, renewed)
    expect(await stored()).toBe(sealed)
  })
})

describe('a database key whose encryption key was pruned', () => {
  let before: string
  let renewed: { accessJws: string; refreshJws: string }
  /** The pruned key's file. */
  let backup: [path: string, pem: string]

  /** Renews the session's tokens first, and leaves the stored key as it was. */
  beforeEach(async () => {
    before = await stored()
    const { kid } = one.keys.encryptionKey
    await rotate()
    await reload(one)
    renewed = await refresh(one, session)
    await store(before)
    const path = join(folder.path, `enc.${kid}.key`)
    backup = [path, await readFile(path, 'utf8')]
    await pruneKeys(folder, Date.now() + KEEP + 1)
    await Promise.all([reload(one), reload(other)])
  })

  test('is null, and the session continues', async () => {
    for (const server of [one, other]) expectKey(await read(server, renewed), null)
    const again = await refresh(one, renewed)
    expectKey(await read(other, again), null)
    expect(await stored()).toBe(before)
    expect(logLines(one)).toContainEqual(
      expect.objectContaining({ level: 'warn', session_id: session.sessionId }),
    )
  })

  test('is back after the encryption key was restored from a backup', async () => {
    lookOnly(one)
    await writeFile(...backup)
    expectKey(await read(one, renewed), session.databaseKey)
  })
})

test('a retired key that is still in the folder opens the database key', async () => {
  const before = await stored()
  await rotateKeys(folder, Date.now() - 2 * KEEP, KEEP)
  await reload(one)
  const login = await client.login(session.answer.body.account.email)
  await store(before, login.sessionId)
  expectKey(await read(one, login), session.databaseKey)
  // A refresh moves the stored key to the current key.
  const renewed = await refresh(one, login)
  const { kid } = decodeProtectedHeader(await stored(login.sessionId))
  expect(kid).toBe(one.keys.encryptionKey.kid)
  expectKey(await read(one, renewed), session.databaseKey)
})

test('a key that was never in the folder is not treated as pruned', async () => {
  const [, ...rest] = (await stored()).split('.')
  const kid = 'A'.repeat(43)
  const header = { ...decodeProtectedHeader(await stored()), kid }
  await store([base64url.encode(JSON.stringify(header)), ...rest].join('.'))
  expectUnavailable(await read(one, session))
  expectUnavailable(await read(one, await refresh(one, session)))
  expect(logLines(one).find(({ level }) => level === 'error')).toMatchObject({
    err: { cause: { message: expect.stringContaining(kid) } },
  })
})

test.each([
  ['not a JWE', () => 'a.b.c.d.e'],
  ['empty', () => ''],
  ['changed', async () => (await stored()).replace(/.{22}$/, 'A'.repeat(22))],
  [
    'without a kid',
    async () => {
      const [, ...rest] = (await stored()).split('.')
      const header = { ...decodeProtectedHeader(await stored()), kid: undefined }
      return [base64url.encode(JSON.stringify(header)), ...rest].join('.')
    },
  ],
])('a stored database key that is %s causes a 500, and the session continues', async (_, make) => {
  const damaged = await make()
  await store(damaged)
  const answer = await read(one, session)
  expect([answer.status, answer.body.error]).toEqual([500, 'server_error'])
  const renewed = await refresh(one, session)
  expect((await read(one, renewed)).status).toBe(500)
  expect(await stored()).toBe(damaged)
})
