/** Keys that change under a running server, from the clients' point of view. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  CompactEncrypt,
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  SignJWT,
  type JWK,
} from 'jose'
import type { Config } from '../../server/config/config.ts'
import {
  generateKeys,
  pruneKeys,
  revokeKeys,
  rotateKeys,
} from '../../server/commands/keys/folder-changes.ts'
import type { Algorithms } from '../../protocol/algorithms.ts'
import type { KeyFolder } from '../../server/keystore/folder.ts'
import type { KeyPair } from '../../server/keystore/key-pair.ts'
import { loadKeys } from '../../server/keystore/key-set.ts'
import { createLogger } from '../../server/log/logger.ts'
import { startServer, type RunningServer } from '../../server/start.ts'
import { DEFAULTS, MODERN } from '../keystore/fixtures.ts'
import { someEmail, TestClient, type Answer, type TestSession } from '../support/client.ts'
import { testConfig } from '../support/config.ts'
import { databaseAt, openAt, usedDatabaseFeatures } from '../support/database.ts'
import { rawRequest } from '../support/raw-request.ts'

/** How long a previous key is kept, in milliseconds. */
const KEEP = 3_600_000

let scratch: string
let folder: KeyFolder
const running: RunningServer[] = []
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'rotation-'))
  folder = { path: join(scratch, 'keys'), passphrase: undefined, algorithms: DEFAULTS }
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
  await rm(scratch, { recursive: true, force: true })
})

async function start(changes: Partial<Config> = {}): Promise<RunningServer> {
  const config = testConfig({
    port: 0,
    database: await databaseAt(join(scratch, 'auth.db')),
    keysDir: folder.path,
    preserveSessions: true,
    issuer: 'http://auth.test',
    algorithms: folder.algorithms,
    rateLimits: { login: 'off', signUp: 'off', clients: 'off', refresh: 'off' },
    ...changes,
  })
  // As if the process had started a second ago, so that the server does not wait.
  const server = await startServer(config, await usedDatabaseFeatures(), createLogger('silent'), {
    startedAt: Date.now() - 1000,
  })
  running.push(server)
  return server
}

async function stop(server: RunningServer): Promise<void> {
  running.splice(running.indexOf(server), 1)
  await server.stop()
}

async function rotate(server: RunningServer, now = Date.now(), keep = KEEP): Promise<void> {
  await rotateKeys(folder, now, keep)
  await server.reloadKeys()
}

async function signedUp(server: RunningServer) {
  const client = await TestClient.registered(server.url)
  return { client, session: await client.signUp() }
}

/** Seals a JWS to one of the server's keys; `null` omits the `kid`. */
async function sealTo(jws: string, jwk: JWK, kid: string | null = jwk.kid!): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(jws))
    .setProtectedHeader({
      alg: jwk.alg!,
      enc: 'A128GCM',
      cty: 'JWT',
      ...(kid === null ? {} : { kid }),
    })
    .encrypt(await importJWK(jwk, jwk.alg))
}

const use = (url: string, jwe: string) =>
  rawRequest(url, '/account', { headers: [['Authorization', `Bearer ${jwe}`]] })

const jwks = async (url: string) => {
  const { headers, body } = await rawRequest(url, '/.well-known/jwks.json')
  return { etag: headers.get('etag')!, keys: body.keys as JWK[] }
}
const encKey = (keys: JWK[]) => keys.find((key) => key.use === 'enc')!

async function refresh(client: TestClient, refreshJws: string, jwk?: JWK): Promise<Answer> {
  const jwe = await sealTo(refreshJws, jwk ?? encKey((await jwks(client.url)).keys))
  const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: jwe })
  return client.send('POST', '/token', form.toString(), {
    'content-type': 'application/x-www-form-urlencoded',
  })
}

/** Signs a token's claims again, with any key and algorithm. */
const signWith = (jws: string, { privateKey, kid, alg }: KeyPair, otherAlg: string = alg) =>
  new SignJWT(decodeJwt(jws))
    .setProtectedHeader({ alg: otherAlg, kid, typ: decodeProtectedHeader(jws).typ! })
    .sign(privateKey)

/** Expects the one refusal, which is the same for every reason. */
async function expectRefused(
  answer: { status: number; body: unknown; headers: Headers },
  url: string,
) {
  const garbage = await use(url, 'garbage')
  expect(answer.status).toBe(401)
  const { body } = answer as { body: Record<string, unknown> }
  const expected = garbage.body as Record<string, unknown>
  expect({ ...body, request_id: null }).toEqual({ ...expected, request_id: null })
  expect(body['error']).toBe('invalid_token')
  expect(answer.headers.get('www-authenticate')).toBe(garbage.headers.get('www-authenticate'))
}

describe('the JWK Set', () => {
  test('changes at once with a rotation, with its ETag: current, next, previous', async () => {
    await generateKeys(folder)
    const server = await start()
    const before = await jwks(server.url)
    const old = await loadKeys(folder)
    expect(before.keys.map(({ kid }) => kid)).toEqual(
      [old.sig.current, old.sig.next, old.enc.current, old.enc.next].map((key) => key!.kid),
    )
    await rotate(server)
    const after = await jwks(server.url)
    const set = await loadKeys(folder)
    expect(after.keys.map(({ kid }) => kid)).toEqual(
      [
        set.sig.current,
        set.sig.next,
        old.sig.current,
        set.enc.current,
        set.enc.next,
        old.enc.current,
      ].map((key) => key!.kid),
    )
    expect(encKey(after.keys).kid).toBe(old.enc.next!.kid)
    expect(after.etag).not.toBe(before.etag)
    for (const [etag, status] of [
      [before.etag, 200],
      [after.etag, 304],
    ] as const) {
      const headers = [['If-None-Match', etag]] as const
      const answer = await rawRequest(server.url, '/.well-known/jwks.json', { headers })
      expect(answer.status).toBe(status)
    }
    for (const key of after.keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    }
  })

  test('is the same after a restart', async () => {
    await generateKeys(folder)
    await rotateKeys(folder, Date.now(), KEEP)
    const first = await start()
    const before = await jwks(first.url)
    await stop(first)
    expect(await jwks((await start()).url)).toEqual(before)
  })

  test('does not have a pruned key', async () => {
    await generateKeys(folder)
    const server = await start()
    const { sig } = await loadKeys(folder)
    await rotate(server)
    await pruneKeys(folder, Date.now() + KEEP + 1000)
    await server.reloadKeys()
    const { keys } = await jwks(server.url)
    expect(keys).toHaveLength(4)
    expect(keys.map(({ kid }) => kid)).not.toContain(sig.current.kid)
  })

  test('changes without a signal or a restart', async () => {
    await generateKeys(folder)
    const server = await start()
    const before = await jwks(server.url)
    // Even a rotation just after the start must be noticed.
    await rotateKeys(folder, Date.now(), KEEP)
    const { enc } = await loadKeys(folder)
    while ((await jwks(server.url)).etag === before.etag) await delay(50)
    expect(encKey((await jwks(server.url)).keys).kid).toBe(enc.current.kid)
  })
})

describe('tokens', () => {
  async function setUp() {
    await generateKeys(folder)
    const server = await start()
    const { client, session } = await signedUp(server)
    await rotate(server)
    const set = await loadKeys(folder)
    return { server, client, session, set }
  }

  test('signed with the previous, current or next key are accepted', async () => {
    const { server, client, session, set } = await setUp()
    expect(decodeProtectedHeader(session.accessJws).kid).toBe(set.sig.previous[0]!.kid)
    expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
    const { accessJws } = await client.login(session.answer.body.account.email)
    expect(decodeProtectedHeader(accessJws).kid).toBe(set.sig.current.kid)
    expect((await client.sendAs({ accessJws }, 'GET', '/account')).status).toBe(200)
    // As by a server that has already loaded the next rotation.
    const early = await signWith(session.accessJws, set.sig.next!)
    expect((await client.sendAs({ accessJws: early }, 'GET', '/account')).status).toBe(200)
    expect(server.url).toBe(client.url)
  })

  test('encrypted to the previous, current or next key are accepted', async () => {
    const { server, session, set } = await setUp()
    for (const key of [set.enc.previous[0]!, set.enc.current, set.enc.next!]) {
      const answer = await use(server.url, await sealTo(session.accessJws, key.publicJwk))
      expect(answer.status).toBe(200)
    }
  })

  test('without a kid are tried with the current key only', async () => {
    const { server, session, set } = await setUp()
    const { current, next, previous } = set.enc
    const sealed = await sealTo(session.accessJws, current.publicJwk, null)
    expect((await use(server.url, sealed)).status).toBe(200)
    for (const key of [previous[0]!, next!]) {
      const jwe = await sealTo(session.accessJws, key.publicJwk, null)
      await expectRefused(await use(server.url, jwe), server.url)
    }
  })

  test('of pruned keys are refused with the one 401', async () => {
    const { server, session, set } = await setUp()
    const sig = set.sig.previous[0]!
    const enc = set.enc.previous[0]!
    const good = await signWith(session.accessJws, set.sig.current)
    const signed = await sealTo(session.accessJws, set.enc.current.publicJwk)
    const encrypted = await sealTo(good, enc.publicJwk)
    expect(decodeProtectedHeader(session.accessJws).kid).toBe(sig.kid)
    for (const jwe of [signed, encrypted]) expect((await use(server.url, jwe)).status).toBe(200)
    await pruneKeys(folder, Date.now() + KEEP + 1000)
    await server.reloadKeys()
    for (const jwe of [signed, encrypted]) {
      await expectRefused(await use(server.url, jwe), server.url)
    }
  })

  test('of revoked keys are refused', async () => {
    const { server, client, session } = await setUp()
    const { keys } = await jwks(server.url)
    await revokeKeys(folder)
    await server.reloadKeys()
    for (const jwk of keys.filter((key) => key.use === 'enc')) {
      await expectRefused(await use(server.url, await sealTo(session.accessJws, jwk)), server.url)
    }
    await expectRefused(await client.sendAs(session, 'GET', '/account'), server.url)
    expect((await refresh(client, session.refreshJws)).status).toBe(400)
    const again = await client.login(session.answer.body.account.email)
    expect((await client.sendAs(again, 'GET', '/account')).status).toBe(200)
  })

  test('signed by an RSA key with another algorithm than its own are refused', async () => {
    folder = { ...folder, algorithms: { ...DEFAULTS, signingAlg: 'PS256' } }
    await generateKeys(folder)
    const first = await start()
    const { client, session } = await signedUp(first)
    await stop(first)
    folder = { ...folder, algorithms: { ...DEFAULTS, signingAlg: 'RS256' } }
    await rotateKeys(folder, Date.now(), KEEP)
    const { sig } = await loadKeys(folder)
    const server = await start()
    const enc = encKey((await jwks(server.url)).keys)
    const seal = async (jws: string) => use(server.url, await sealTo(jws, enc))
    const [old] = sig.previous
    expect([old!.alg, sig.current.alg]).toEqual(['PS256', 'RS256'])
    expect((await seal(session.accessJws)).status).toBe(200)
    expect((await seal(await signWith(session.accessJws, sig.current))).status).toBe(200)
    await expectRefused(await seal(await signWith(session.accessJws, old!, 'RS256')), server.url)
    await expectRefused(
      await seal(await signWith(session.accessJws, sig.current, 'PS256')),
      server.url,
    )
    // A key cannot be used for the other purpose either.
    await expectRefused(
      await use(server.url, await sealTo(session.accessJws, enc, sig.current.kid)),
      server.url,
    )
    expect(client.id).toHaveLength(43)
  })
})

describe('a session', () => {
  const storedKid = async () => {
    const database = await openAt(await databaseAt(join(scratch, 'auth.db')))
    const { database_key } = await database
      .selectFrom('sessions')
      .select('database_key')
      .executeTakeFirstOrThrow()
    await database.destroy()
    return decodeProtectedHeader(database_key).kid
  }

  test('keeps its database key, which a refresh re-encrypts to the current key', async () => {
    await generateKeys(folder)
    const server = await start()
    const { client, session } = await signedUp(server)
    const first = await loadKeys(folder)
    const databaseKey = async (accessJws: string) =>
      (await client.sendAs({ accessJws }, 'GET', '/account')).body.database_key as string
    await rotate(server)
    expect(await databaseKey(session.accessJws)).toBe(session.databaseKey)
    expect(await storedKid()).toBe(first.enc.current.kid)

    const answer = await refresh(client, session.refreshJws)
    expect(answer.status).toBe(200)
    expect(await storedKid()).toBe(first.enc.next!.kid)
    const accessJws = await client.open(answer.body.access_token)
    expect(await databaseKey(accessJws)).toBe(session.databaseKey)

    // The old key is not needed any more.
    await pruneKeys(folder, Date.now() + KEEP + 1000)
    await server.reloadKeys()
    expect(await databaseKey(accessJws)).toBe(session.databaseKey)
  })

  test('that is renewed survives any number of rotations', async () => {
    await generateKeys(folder)
    const server = await start()
    const { client, session } = await signedUp(server)
    let { refreshJws } = session
    for (let round = 0; round < 6; round++) {
      // The previous key retires exactly at the next rotation.
      await rotate(server, Date.now() + round * KEEP, KEEP)
      const answer = await refresh(client, refreshJws)
      expect(answer.status).toBe(200)
      refreshJws = await client.open(answer.body.refresh_token)
      const accessJws = await client.open(answer.body.access_token)
      const { keys } = await jwks(server.url)
      const account = await use(server.url, await sealTo(accessJws, encKey(keys)))
      expect(account.body.database_key).toBe(session.databaseKey)
    }
    const { sig } = await loadKeys(folder)
    expect(sig.previous.length).toBeLessThan(3)
  })

  test('survives a change of the algorithms and back, with a client of the old type', async () => {
    await generateKeys(folder)
    let server = await start()
    const { client, session } = await signedUp(server)
    const email = session.answer.body.account.email as string
    const { port } = new URL(server.url)
    let { accessJws, refreshJws } = session
    const renamed: Algorithms = { ...MODERN, signingAlg: 'Ed25519' }
    for (const algorithms of [MODERN, renamed, DEFAULTS]) {
      await stop(server)
      folder = { ...folder, algorithms }
      await rotateKeys(folder, Date.now(), KEEP)
      server = await start({ port: Number(port) })
      const published = encKey((await jwks(server.url)).keys)
      expect(published.crv).toBe(algorithms.encryptionCrv)

      const old = await client.sendAs({ accessJws }, 'GET', '/account')
      expect([old.status, old.body.database_key]).toEqual([200, session.databaseKey])
      const answer = await refresh(client, refreshJws)
      expect(answer.status).toBe(200)
      accessJws = await client.open(answer.body.access_token)
      refreshJws = await client.open(answer.body.refresh_token)
      expect(decodeProtectedHeader(accessJws).alg).toBe(algorithms.signingAlg)
      const account = await client.sendAs({ accessJws }, 'GET', '/account')
      expect([account.status, account.body.database_key]).toEqual([200, session.databaseKey])
      const again = await client.login(email)
      expect((await client.sendAs(again, 'GET', '/account')).status).toBe(200)
    }
  })

  test('survives another key management algorithm for the same key', async () => {
    await generateKeys(folder)
    const first = await start()
    const { client, session } = await signedUp(first)
    const { port } = new URL(first.url)
    await stop(first)
    // The server starts without a rotation, because the key has the right type.
    folder = { ...folder, algorithms: { ...DEFAULTS, encryptionAlg: 'ECDH-ES+A256KW' } }
    const server = await start({ port: Number(port) })
    const sealed = await sealTo(session.accessJws, encKey((await jwks(server.url)).keys))
    const answer = await use(client.url, sealed)
    expect([answer.status, answer.body.database_key]).toEqual([200, session.databaseKey])

    // Also when the key becomes a previous one, while the stored key names the old algorithm.
    await rotate(server)
    const old = await use(server.url, sealed)
    expect([old.status, old.body.database_key]).toEqual([200, session.databaseKey])
    const renewed = await refresh(client, session.refreshJws)
    expect(renewed.status).toBe(200)
    // Sealed to the key as it is published now: the client's own copy has the old algorithm.
    const accessJws = await client.open(renewed.body.access_token)
    const { keys } = await jwks(server.url)
    const account = await use(server.url, await sealTo(accessJws, encKey(keys)))
    expect([account.status, account.body.database_key]).toEqual([200, session.databaseKey])
  })
})

describe('under a steady load', () => {
  test('ten rotations refuse no valid token and fail no request', async () => {
    await generateKeys(folder)
    const server = await start()
    /** The keys that each client has cached. Each fetches them again at its own time. */
    const first = await jwks(server.url)
    const caches = Array.from({ length: 6 }, () => ({ keys: first.keys }))
    const failures: unknown[] = []
    let isDone = false
    let requests = 0
    let staleSeals = 0

    const check = (what: string, { status, text }: Answer) => {
      requests++
      if (status !== 200 && status !== 201) failures.push([what, status, text])
      return status < 300
    }
    const seal = (jws: string, cache: { keys: JWK[] }) => {
      return sealTo(jws, encKey(cache.keys))
    }
    async function person(cache: { keys: JWK[] }) {
      const client = await TestClient.registered(server.url)
      let session: Pick<TestSession, 'accessJws' | 'refreshJws'> = await client.signUp(someEmail())
      for (let turn = 0; !isDone; turn++) {
        const token = await seal(session.accessJws, cache)
        check(
          'GET /account',
          await client.send('GET', '/account', undefined, { authorization: `Bearer ${token}` }),
        )
        // Leaves time for the rotations.
        await delay(150)
        if (turn % 3 !== 2) continue
        const answer = await refresh(client, session.refreshJws, encKey(cache.keys))
        if (!check('POST /token', answer)) return
        session = {
          accessJws: await client.open(answer.body.access_token),
          refreshJws: await client.open(answer.body.refresh_token),
        }
        if (encKey((await jwks(server.url)).keys).kid !== encKey(cache.keys).kid) staleSeals++
      }
    }
    async function newcomers() {
      const client = await TestClient.registered(server.url)
      const email = someEmail()
      await client.signUp(email)
      while (!isDone) {
        const password = 'a long and winding road'
        const body = { email, password, client_id: client.id }
        check('login', await client.send('POST', '/account/login', body))
        await delay(200)
      }
    }

    const load = caches.map((cache) => person(cache))
    load.push(newcomers())
    const everybody = Promise.all(load)
    /** Waits for two requests of everybody, on average. */
    async function aWhile(): Promise<void> {
      const until = requests + 2 * load.length
      while (requests < until && failures.length === 0) await delay(5)
    }
    await aWhile()
    for (let round = 0; round < 10; round++) {
      await rotateKeys(folder, Date.now(), KEEP)
      // By signal or by itself, in turn.
      if (round % 2 === 0) await server.reloadKeys()
      await aWhile()
      // One cache expires after five minutes; one never does.
      const cache = caches[1 + (round % 3)]!
      cache.keys = (await jwks(server.url)).keys
    }
    isDone = true
    await everybody
    expect(failures).toEqual([])
    expect(requests).toBeGreaterThan(100)
    expect(staleSeals).toBeGreaterThan(10)
  })

  test("two servers with one folder accept each other's tokens", async () => {
    await generateKeys(folder)
    const [one, other] = [await start(), await start()]
    const { client, session } = await signedUp(one)
    const failures: unknown[] = []
    for (let round = 0; round < 6; round++) {
      await rotateKeys(folder, Date.now(), KEEP)
      // The other server has not noticed it yet.
      await (round % 2 === 0 ? one : other).reloadKeys()
      for (const [maker, taker] of [
        [one, other],
        [other, one],
      ] as const) {
        const { keys } = await jwks(maker.url)
        const login = await client.login(session.answer.body.account.email)
        for (const jws of [login.accessJws, session.accessJws]) {
          const answer = await use(taker.url, await sealTo(jws, encKey(keys)))
          if (answer.status !== 200) failures.push([round, answer.status, answer.body])
        }
      }
      await Promise.all([one.reloadKeys(), other.reloadKeys()])
    }
    expect(failures).toEqual([])
  })
})
