/** Tokens for another service, sealed to its own key. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { compactDecrypt, decodeJwt } from 'jose'
import { generateKeyPair, type KeyPair } from '../../../server/keystore/key-pair.ts'
import { codeOf, refusedToken, signedUp, startServer } from '../../support/auth-client.ts'
import { DEFAULTS } from '../../keystore/fixtures.ts'
import type { TestServer } from '../../support/server.ts'

let auth: TestServer
beforeAll(async () => {
  auth = await startServer()
})
afterAll(() => auth.stop())

let listening: Server | undefined
afterEach(async () => {
  if (listening === undefined) return
  listening.closeAllConnections()
  listening.close()
  await once(listening, 'close')
  listening = undefined
})

/** A service that publishes a key, opens each request's token with it, and answers 401 if it cannot. */
async function startService() {
  const state = {
    key: await generateKeyPair('enc', DEFAULTS),
    /** The tokens that it has opened. */
    opened: [] as { req: { htu: string }; claims: Record<string, unknown>; path: string }[],
    keys: (key: KeyPair): unknown[] => [key.publicJwk],
    url: '',
  }
  listening = createServer((request, response) => {
    void (async () => {
      response.setHeader('content-type', 'application/json')
      if (request.url === '/api/.well-known/jwks.json') {
        return response.end(JSON.stringify({ keys: state.keys(state.key) }))
      }
      try {
        const token = (request.headers.authorization ?? '').replace('Bearer ', '')
        const { plaintext, protectedHeader } = await compactDecrypt(token, state.key.privateKey)
        const claims = decodeJwt(new TextDecoder().decode(plaintext))
        const req = protectedHeader['req'] as { htu: string }
        state.opened.push({ req, claims, path: request.url ?? '' })
        return response.end('{}')
      } catch {
        response.setHeader('www-authenticate', 'Bearer realm="s", error="invalid_token"')
        response.statusCode = 401
        return response.end('{}')
      }
    })()
  })
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  state.url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}/api`
  return state
}

test('a service gets the token sealed to its own key and bound to its URL', async () => {
  const service = await startService()
  const { client, wire } = await signedUp(auth, { services: [`${service.url}/`] })
  expect((await client.fetch(`${service.url}/notes?page=2`)).status).toBe(200)
  expect((await client.fetch(`${service.url}/notes`, { method: 'POST', body: 'x' })).status).toBe(
    200,
  )
  expect(service.opened).toMatchObject([
    { req: { htm: 'GET', htu: `${service.url}/notes` }, path: '/api/notes?page=2' },
    { req: { htm: 'POST', htu: `${service.url}/notes`, dig: expect.any(String) } },
  ])
  expect(service.opened[0]?.claims['sid']).toBe(client.session?.sessionId)
  expect(wire.count('GET /api/.well-known/jwks.json')).toBe(1)
  // The auth server still gets its own tokens, and no other path of the service's host gets any.
  expect((await client.fetch('/account')).status).toBe(200)
  const beside = service.url.replace('/api', '/other')
  expect(await codeOf(client.fetch(beside))).toBe('origin_not_allowed')
})

test('a service with a new key is asked for it, and the token is sealed again', async () => {
  const service = await startService()
  const { client, wire } = await signedUp(auth, { services: [service.url] })
  await client.fetch(`${service.url}/notes`)
  service.key = await generateKeyPair('enc', DEFAULTS)
  expect((await client.fetch(`${service.url}/notes`)).status).toBe(200)
  expect(wire.count('GET /api/notes')).toBe(3)
  expect(wire.count('POST /token')).toBe(0)
})

test("a service's keys are stored, and fetched again after five minutes", async () => {
  const service = await startService()
  const { client, store } = await signedUp(auth, { services: [service.url] })
  await client.fetch(`${service.url}/notes`)
  const restarted = await signedUp(auth, { store, services: [service.url] })
  expect((await restarted.client.fetch(`${service.url}/notes`)).status).toBe(200)
  expect(restarted.wire.count('GET /api/.well-known/jwks.json')).toBe(0)
  auth.clock.advance(300)
  await restarted.client.fetch(`${service.url}/notes`)
  expect(restarted.wire.count('GET /api/.well-known/jwks.json')).toBe(1)
})

test('a service that publishes no encryption key is sent nothing', async () => {
  const service = await startService()
  service.keys = () => [auth.keystore.signingKey.publicJwk]
  const { client, wire } = await signedUp(auth, { services: [service.url] })
  expect(await codeOf(client.fetch(`${service.url}/notes`))).toBe('bad_answer')
  expect(wire.count('GET /api/notes')).toBe(0)
})

test('an unreachable service is a network error, even with fresh keys, and the session stays', async () => {
  const service = await startService()
  const { client, wire } = await signedUp(auth, { services: [service.url] })
  await client.fetch(`${service.url}/notes`)
  wire.isDown = true
  expect(await codeOf(client.fetch(`${service.url}/notes`))).toBe('network')
  auth.clock.advance(300)
  expect(await codeOf(client.fetch(`${service.url}/notes`))).toBe('network')
  expect(client.session).toBeDefined()
})

test("a service under the server's own URL gets its own tokens, and the server still gets its own", async () => {
  const key = await generateKeyPair('enc', DEFAULTS)
  const [outer, inner] = [`${auth.url}/notes`, `${auth.url}/notes/of/others`]
  const { client, wire } = await signedUp(auth, { services: [outer, inner] })
  for (const base of ['/notes', '/notes/of/others']) {
    wire.on(`GET ${base}/.well-known/jwks.json`, () =>
      Promise.resolve(Response.json({ keys: [key.publicJwk] })),
    )
  }
  const bound: unknown[] = []
  const take = async (request: Request) => {
    const token = request.headers.get('authorization')!.slice(7)
    const { protectedHeader } = await compactDecrypt(token, key.privateKey)
    bound.push((protectedHeader['req'] as { htu: string }).htu)
    return Response.json({})
  }
  for (const path of ['/notes/1', '/notes/of/others/1']) wire.on(`GET ${path}`, take)
  expect((await client.fetch('/notes/1')).status).toBe(200)
  expect((await client.fetch(`${inner}/1`)).status).toBe(200)
  expect(bound).toEqual([`${outer}/1`, `${inner}/1`])
  expect(wire.count('GET /notes/of/others/.well-known/jwks.json')).toBe(1)
  // Other paths still go to the server, even one that starts with the same letters.
  expect((await client.fetch('/account')).status).toBe(200)
  expect((await client.fetch('/notesandmore')).status).toBe(404)
})

test('a service that refuses every token causes a renewal only if the token is a minute old', async () => {
  const service = await startService()
  const { client, wire } = await signedUp(auth, { services: [service.url] })
  const notes = 'GET /api/notes'
  wire.on(notes, () => Promise.resolve(refusedToken()))
  const ask = async () => (await client.fetch(`${service.url}/notes`)).status
  expect([await ask(), await ask()]).toEqual([401, 401])
  expect([wire.count(notes), wire.count('POST /token')]).toEqual([2, 0])
  auth.clock.advance(59)
  expect(await ask()).toBe(401)
  expect(wire.count('POST /token')).toBe(0)
  auth.clock.advance(1)
  expect(await ask()).toBe(401)
  expect([wire.count(notes), wire.count('POST /token')]).toEqual([5, 1])
  // The renewed token is less than a minute old.
  expect(await ask()).toBe(401)
  expect(wire.count('POST /token')).toBe(1)
  expect(client.session).toBeDefined()
})
