/** What changes around a running service: the auth server's keys, its own key, and an absence. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import Koa from 'koa'
import type { SigningAlg } from '../../protocol/algorithms.ts'
import { generateKeyPair } from '../../server/keystore/key-pair.ts'
import { createEphemeralKeystore } from '../../server/keystore/keystore.ts'
import {
  createHttpServer,
  createLogger,
  createReplayCache,
  createServiceAuth,
  errors,
  requestId,
  type RequestState,
} from '../../server/resource-server/index.ts'
import { keySet, ring } from '../keystore/fixtures.ts'
import { startTestServer } from '../support/server.ts'
import { DEFAULTS } from '../token/fixtures.ts'
import {
  away,
  createPerson,
  ISSUER,
  sendRaw,
  setUp,
  startService,
  tearDown,
  type Person,
  type Scene,
} from './fixtures.ts'

let scene: Scene
let person: Person
beforeEach(async () => {
  scene = await setUp()
  person = await createPerson(scene)
})
afterEach(() => tearDown(scene))

/** Replaces the auth server with another one that has its own keys. */
async function replaceAuthServer() {
  const { clock, server } = scene
  const keystore = await createEphemeralKeystore(DEFAULTS)
  const { database } = server
  const other = await startTestServer({ clock, keystore, database, config: { issuer: ISSUER } })
  scene.line.instead = (url) => fetch(url.replace(ISSUER, other.url))
  return other
}

test('follows the keys of the auth server when they change', async () => {
  expect((await person.call()).status).toBe(200)
  const other = await replaceAuthServer()
  try {
    scene.clock.advance(6)
    const late = await createPerson({ ...scene, server: other })
    expect((await late.call()).status).toBe(200)
    // Tokens signed with the old keys are refused now.
    const old = await person.call()
    expect(old.status).toBe(401)
  } finally {
    await other.stop()
  }
})

test('a rotation from EdDSA to Ed25519 signs nobody out', async () => {
  const { clock, server } = scene
  const keystore = server.keystore
  const keyFor = (signingAlg: SigningAlg) => generateKeyPair('sig', { ...DEFAULTS, signingAlg })
  const [old, fresh] = [await keyFor('EdDSA'), await keyFor('Ed25519')]
  const signedBy = async ({ client }: Person) => (await client.accessToken()).header['alg']

  keystore.replace(keySet(ring(old, { next: fresh }), keystore.encryptionKey))
  clock.advance(6)
  const before = await createPerson(scene)
  expect(await signedBy(before)).toBe('EdDSA')
  expect((await before.call()).status).toBe(200)

  keystore.replace(keySet(ring(fresh, { previous: [old] }), keystore.encryptionKey))
  clock.advance(6)
  const after = await createPerson(scene)
  expect(await signedBy(after)).toBe('Ed25519')
  expect((await after.call()).status).toBe(200)
  expect((await before.call()).status).toBe(200)
  await before.client.refresh()
  expect(await signedBy(before)).toBe('Ed25519')
  expect((await before.call()).status).toBe(200)
})

describe('while the auth server is away', () => {
  test('keys that are known still verify', async () => {
    expect((await person.call()).status).toBe(200)
    scene.line.instead = away
    scene.clock.advance(600)
    expect((await person.call()).status).toBe(200)
  })

  test('a token whose key is not known gets a 503, and nobody is signed out', async () => {
    scene.line.instead = away
    const answer = await person.call()
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('5')
    expect(((await answer.json()) as { error: string }).error).toBe('temporarily_unavailable')
    expect(person.client.session).toBeDefined()
    // The request was not used up.
    const captured = person.toService().at(-1)!
    scene.line.instead = undefined
    scene.clock.advance(5)
    expect((await sendRaw(captured)).status).toBe(200)
  })

  test('a server with another issuer does not count as present', async () => {
    scene.line.instead = () => Promise.resolve(Response.json({ issuer: 'https://evil.test' }))
    expect((await person.call()).status).toBe(503)
  })
})

test('the client seals its request again, once, after a service has restarted with another key', async () => {
  expect((await person.call()).status).toBe(200)
  await scene.service.stop()
  const { clock, line } = scene
  const port = Number(new URL(scene.service.url).port)
  const service = await startService({ clock, fetch: line.fetch, port })
  scene = { ...scene, service }
  const before = person.toService().length
  const tokens = person.client.session!.claims.jti
  const answer = await person.call('/notes', { method: 'POST', body: '{"again":1}' })
  expect(answer.status).toBe(200)
  expect(((await answer.json()) as { body: string }).body).toBe('{"again":1}')
  const [first, second, ...more] = person.toService().slice(before)
  expect(more).toEqual([])
  expect(decodeProtectedHeader(first!.token).kid).not.toBe(decodeProtectedHeader(second!.token).kid)
  // No token was renewed for it.
  expect(person.client.session!.claims.jti).toBe(tokens)
})

describe('a service that restarts with the same key', () => {
  const comeBack = async (options: Parameters<typeof startService>[0]) => {
    await scene.service.stop()
    const { clock, line } = scene
    const port = Number(new URL(scene.service.url).port)
    const service = await startService({ clock, fetch: line.fetch, port, ...options })
    scene = { ...scene, service }
  }

  test.each([false, true])(
    'refuses a request that it accepted before (shared cache: %s)',
    async (shared) => {
      const encryptionKey = await generateKeyPair('enc', DEFAULTS)
      const options = { encryptionKey, ...(shared ? { replayCache: createReplayCache() } : {}) }
      await comeBack(options)
      expect((await person.call()).status).toBe(200)
      const captured = person.toService().at(-1)!
      scene.clock.advance(0.5)
      await comeBack(options)
      expect((await sendRaw(captured)).status).toBe(401)
      scene.clock.advance(0.5)
      expect((await person.call()).status).toBe(200)
    },
  )
})

test('a service that forgets to read the body lets nobody through', async () => {
  const logs: string[] = []
  const logger = createLogger('error', { write: (text) => void logs.push(text) })
  const auth = await createServiceAuth({ issuer: ISSUER, url: 'http://localhost:1', logger })
  const app = new Koa<RequestState>()
  app.use(requestId(logger))
  app.use(errors())
  app.use(auth.bearer())
  const server = createHttpServer((request, response) => void app.callback()(request, response))
  const port = await server.listen(0, '127.0.0.1')
  try {
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(500)
    expect(logs.join('')).toContain('readBody() before it')
  } finally {
    await server.stop(0)
  }
})
