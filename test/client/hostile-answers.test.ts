/** Answers that this server never gives: from a proxy, an attacker, or a broken server. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { AuthClient, memoryStore } from '../../client/index.ts'
import { decrypt } from '../../client/token/decrypt.ts'
import { encryptJwe } from '../support/foreign-jose.ts'
import {
  clientOf,
  codeOf,
  errorOf,
  jsonResponse,
  signedUp,
  startServer,
  storedSession,
  type Party,
} from '../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../support/client.ts'
import type { TestServer } from '../support/server.ts'
import { forge, forgeMac, MANGLINGS, SPELLINGS, withPart } from '../token/fixtures.ts'
import { publicKeyOf } from './token/fixtures.ts'

const LOGIN = 'POST /account/login'
const TOKEN = 'POST /token'

let server: TestServer
let party: Party
/** A good sign-in answer, with its tokens decrypted. */
let good: { access_token: string; refresh_token: string; session_id: string }
let access: Opened
let refresh: Opened
beforeAll(async () => {
  server = await startServer()
  party = await signedUp(server)
  party.wire.on(LOGIN, async (request, send) => {
    const response = await send(request)
    good = (await response.clone().json()) as typeof good
    return response
  })
  await signIn()
  access = await opened(good.access_token)
  refresh = await opened(good.refresh_token)
})
afterAll(() => server.stop())
afterEach(() => {
  for (const line of [LOGIN, TOKEN]) party.wire.on(line, undefined)
})

interface Opened {
  readonly jws: string
  readonly header: Record<string, unknown>
  readonly claims: Record<string, unknown>
}
const part = (jws: string, index: number) =>
  JSON.parse(Buffer.from(jws.split('.')[index]!, 'base64url').toString()) as Opened['claims']
async function opened(jwe: string): Promise<Opened> {
  const jws = await decrypt(jwe, (await party.store.loadKey())!, 'JWT')
  return { jws, header: part(jws, 0), claims: part(jws, 1) }
}

const signIn = () => party.client.signIn({ email: party.email, password: GOOD_PASSWORD })

/** JWS → JWE for the client. */
async function sealed(jws: string, header: Record<string, unknown> = {}) {
  const key = (await party.store.loadKey())!
  return encryptJwe(jws, publicKeyOf(key), { kid: key.id, cty: 'JWT', ...header })
}
const signed = (header: object, claims: object) =>
  forge(header, claims, server.keystore.signingKey.privateKey)

/** Refused at sign-in and at renewal; the existing session stays as it was. */
async function expectRefused(answer: Record<string, unknown>, code = 'token_invalid') {
  const before = await storedSession(party.store)
  party.wire.on(LOGIN, () => Promise.resolve(jsonResponse({ ...complete, ...answer })))
  expect(await codeOf(signIn())).toBe(code)
  party.wire.on(TOKEN, () => Promise.resolve(jsonResponse({ ...complete, ...answer })))
  if (!('account' in answer || 'database_key' in answer || 'session_id' in answer)) {
    expect(await codeOf(party.client.refresh())).toBe(code)
  }
  expect(await storedSession(party.store)).toEqual(before)
  expect(party.client.session?.sessionId).toBe(good.session_id)
}
/** A good answer to copy. */
let complete: Record<string, unknown>
beforeAll(() => {
  complete = { ...good }
})

test('a valid answer is accepted if it is for this session', async () => {
  party.wire.on(TOKEN, () => Promise.resolve(jsonResponse(complete)))
  expect((await party.client.refresh()).sessionId).toBe(good.session_id)
  const tokens = {
    access_token: await sealed(signed(access.header, { ...access.claims, jti: 'another' })),
    refresh_token: await sealed(signed(refresh.header, refresh.claims)),
  }
  party.wire.on(TOKEN, () => Promise.resolve(jsonResponse({ ...complete, ...tokens })))
  expect((await party.client.refresh()).claims.jti).toBe('another')
})

describe.each([
  ['access_token', () => access, () => refresh],
  ['refresh_token', () => refresh, () => access],
] as const)('%s', (name, own, other) => {
  test.each<[string, Record<string, unknown>]>([
    ['another issuer', { iss: 'https://evil.test' }],
    ['another audience', { aud: 'another' }],
    ['another client', { client_id: 'another' }],
    ['another client and audience', { client_id: 'another', aud: 'another' }],
    ['no session', { sid: undefined }],
    ['another session', { sid: 'another' }],
    ['another person', { sub: 'another' }],
    ['nobody as its subject', { sub: undefined }],
    ['no exp', { exp: undefined }],
    ['an exp that is text', { exp: '9999999999' }],
    ['no iat', { iat: undefined }],
    ['no jti', { jti: undefined }],
    ['an exp before its iat', { exp: 1 }],
  ])('with %s is refused', async (_name, changes) => {
    const jws = signed(own().header, { ...own().claims, ...changes })
    await expectRefused({ [name]: await sealed(jws) })
  })

  test.each<[string, Record<string, unknown>]>([
    ['no kid', { kid: undefined }],
    ['an unknown kid', { kid: 'unknown' }],
    ['alg none', { alg: 'none' }],
    ['another alg', { alg: 'ES384' }],
    ['no typ', { typ: undefined }],
    ['typ JWT', { typ: 'JWT' }],
    ['crit', { crit: ['exp'] }],
    ['an embedded jwk', { jwk: { kty: 'EC' } }],
  ])('with %s in its JWS header is refused', async (_name, changes) => {
    await expectRefused({
      [name]: await sealed(signed({ ...own().header, ...changes }, own().claims)),
    })
  })

  test.each<[string, Record<string, unknown>]>([
    ['no kid', { kid: undefined }],
    ['another kid', { kid: 'another' }],
    ['zip', { zip: 'DEF' }],
    ['crit', { crit: ['x'] }],
    ['no cty', { cty: undefined }],
  ])('with %s in its JWE header is refused', async (_name, changes) => {
    await expectRefused({ [name]: await sealed(own().jws, changes) })
  })

  test('of the other type is refused', async () => {
    await expectRefused({ [name]: await sealed(other().jws) })
    await expectRefused({ [name]: await sealed(signed(other().header, own().claims)) })
  })

  test('that is a bare JWS is refused', async () => {
    await expectRefused({ [name]: own().jws })
  })

  test('that is encrypted but not signed by the server is refused', async () => {
    const { header, claims, jws } = own()
    const [, payload] = jws.split('.')
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    await expectRefused({ [name]: await sealed(`${none}.${payload}.`) })
    await expectRefused({ [name]: await sealed(JSON.stringify(claims)) })
    const pem = server.keystore.signingKey.publicKey.export({ type: 'spki', format: 'pem' })
    const mac = forgeMac({ ...header, alg: 'HS256' }, claims, pem)
    await expectRefused({ [name]: await sealed(mac) })
  })

  test("that is signed by another server's key is refused, under either kid", async () => {
    const { signingKey } = (await startedElsewhere()).keystore
    await expectRefused({
      [name]: await sealed(forge(own().header, own().claims, signingKey.privateKey)),
    })
    await expectRefused({
      [name]: await sealed(
        forge({ ...own().header, kid: signingKey.kid }, own().claims, signingKey.privateKey),
      ),
    })
  })

  test('that is encrypted for another client is refused', async () => {
    const thief = await signedUp(server)
    const answers = (await storedSession(thief.store))!
    await expectRefused({ [name]: answers[name] })
  })

  test('with a change in any part is refused', async () => {
    for (const index of [0, 1, 2, 3, 4]) {
      for (const change of [MANGLINGS[0]!, MANGLINGS[1]!, SPELLINGS[3]![1]]) {
        const jwe = String(complete[name])
        await expectRefused({ [name]: withPart(jwe, index, change) })
      }
    }
  })

  test.each<[string, unknown]>([
    ['missing', undefined],
    ['empty', ''],
    ['a number', 1],
    ['a list', ['x']],
  ])('that is %s is a bad answer', async (_name, value) => {
    await expectRefused({ [name]: value }, 'bad_answer')
  })
})

test('a refresh token that is expired or not yet valid is refused', async () => {
  const { iat } = access.claims as { iat: number }
  const dead = { ...refresh.claims, iat: iat - 100, exp: iat }
  await expectRefused(
    { refresh_token: await sealed(signed(refresh.header, dead)) },
    'token_expired',
  )
  const unborn = { ...refresh.claims, iat: iat + 100, exp: iat + 200 }
  await expectRefused({ refresh_token: await sealed(signed(refresh.header, unborn)) })
})

test('verify refuses everything but access tokens of this client', async () => {
  expect(await codeOf(clientOf(server).client.verify(access.jws))).toBe('token_invalid')
  expect(await codeOf(clientOf(server).client.verify('a.b.c'))).toBe('token_invalid')
  expect(await party.client.verify(access.jws)).toEqual(access.claims)
  for (const jws of [refresh.jws, good.access_token]) {
    expect(await codeOf(party.client.verify(jws))).toBe('token_invalid')
  }
})

test('an access token without a scope is refused', async () => {
  const jws = signed(access.header, { ...access.claims, scope: undefined })
  await expectRefused({ access_token: await sealed(jws) })
})

describe('a session answer', () => {
  const account = { id: 'x', email: 'x', name: null, scope: '', created_at: 'x' }
  test.each<[string, Record<string, unknown>]>([
    ['without an account', { account: undefined }],
    ['with a list for an account', { account: [] }],
    ['with an account without id', { account: { ...account, id: '' } }],
    ['with an account without address', { account: { ...account, email: 1 } }],
    ['with an account without scope', { account: { ...account, scope: null } }],
    ['with an account without a date', { account: { ...account, created_at: undefined } }],
    ['without session_id', { session_id: undefined }],
    ['with a session_id that is a path', { session_id: '../key' }],
    ['without database_key', { database_key: undefined }],
    ['with a null database_key', { database_key: null }],
    ['with a short database_key', { database_key: 'A'.repeat(42) }],
    ['with a long database_key', { database_key: 'A'.repeat(44) }],
    ['with a database_key that is not base64url', { database_key: `${'A'.repeat(42)}+` }],
    ['with another token type', { token_type: 'DPoP' }],
    ['without a token type', { token_type: undefined }],
    ['with a token type that is not a string', { token_type: { toString: 1, valueOf: 1 } }],
  ])('%s is a bad answer', async (_name, changes) => {
    await expectRefused(changes, 'bad_answer')
  })

  test("for another session or account than its tokens' is refused", async () => {
    await expectRefused({ session_id: 'another' })
    await expectRefused({ account })
  })

  test.each<[string, () => Response, string]>([
    ['that is not JSON', () => jsonResponse('hello'), 'network'],
    ['that is a list', () => jsonResponse([]), 'network'],
    ['that is empty', () => new Response(null, { status: 204 }), 'bad_answer'],
    ['with an HTML error page', () => new Response('<h1>', { status: 500 }), 'network'],
    ['with a sentence as its error code', () => jsonResponse({ error: 'Oh no!' }, 400), 'network'],
    [
      'with an error code and no description',
      () => jsonResponse({ error: 'odd_thing' }, 400),
      'odd_thing',
    ],
  ])('%s is an error with its code and a message', async (_name, answer, code) => {
    party.wire.on(LOGIN, () => Promise.resolve(answer()))
    const error = await errorOf(signIn())
    expect(error.code).toBe(code)
    expect(error.message).not.toBe('')
  })
})

describe('the answer to GET /account', () => {
  /** A freshly opened page that gets this answer. */
  const resumed = async (changes: Record<string, unknown>) => {
    const { store, client } = await signedUp(server)
    const page = clientOf(server, { store })
    page.wire.change('GET /account', changes)
    return { page, store, session: client.session! }
  }

  test.each<[string, Record<string, unknown>]>([
    ['an empty database_key', { database_key: '' }],
    ['another session', { session_id: 'another' }],
    ['another person', { account: { id: 'x', email: 'x', name: 1, scope: '', created_at: 'x' } }],
  ])('with %s ends nothing and removes nothing', async (_name, changes) => {
    const { page, store, session } = await resumed(changes)
    const kept = await storedSession(store)
    expect(await codeOf(page.client.resume())).toBe('bad_answer')
    expect(await codeOf(page.client.vault())).toBe('bad_answer')
    expect(await storedSession(store)).toEqual(kept)
    page.wire.change('GET /account', undefined)
    expect(await page.client.resume()).toEqual(session)
  })

  test('with no database_key resumes the session, but opens no vault', async () => {
    const { page, store, session } = await resumed({ database_key: undefined })
    const kept = await storedSession(store)
    expect(await page.client.resume()).toEqual(session)
    expect(await codeOf(page.client.vault())).toBe('sealing_required')
    expect(await storedSession(store)).toEqual(kept)
  })

  test('with status 500 ends nothing and removes nothing', async () => {
    const { page, store } = await resumed({})
    page.wire.on('GET /account', () =>
      Promise.resolve(jsonResponse({ error: 'server_error' }, 500)),
    )
    expect(await codeOf(page.client.resume())).toBe('server_error')
    expect(await storedSession(store)).toBeDefined()
  })
})

describe('the answer to a registration', () => {
  test("with another client_id than the key's is a bad answer", async () => {
    const { client, wire } = clientOf(server)
    wire.change('POST /clients', { client_id: 'another' })
    expect(await codeOf(client.register())).toBe('bad_answer')
  })
})

describe('the configuration', () => {
  const path = ({ id }: { id: string }) => `GET /clients/${id}/configuration`

  test.each([
    ['another issuer', { iss: 'x' }],
    ['another client', { aud: 'x' }],
  ])('for %s, or without a configuration in it, is refused', async (_name, changes) => {
    const { client, wire, store } = clientOf(server)
    const key = await client.register()
    const own = { iss: server.config.issuer, aud: key.id }
    const seal = (body: object) =>
      encryptJwe(JSON.stringify(body), publicKeyOf(key), { kid: key.id, cty: 'json' })
    wire.on(path(key), () => Promise.resolve(new Response(seal(own))))
    expect(await client.configuration()).toEqual(own)
    wire.on(path(key), () => Promise.resolve(new Response(seal({ ...own, ...changes }))))
    expect(await codeOf(client.configuration())).toBe('bad_answer')
    const list = encryptJwe('[]', publicKeyOf(key), { kid: key.id, cty: 'json' })
    wire.on(path(key), () => Promise.resolve(new Response(list)))
    expect(await codeOf(client.configuration())).toBe('bad_answer')
    // A token is not a configuration.
    const token = encryptJwe(JSON.stringify(own), publicKeyOf(key), { kid: key.id, cty: 'JWT' })
    wire.on(path(key), () => Promise.resolve(new Response(token)))
    expect(await codeOf(client.configuration())).toBe('token_invalid')
    expect(await storedSession(store)).toBeUndefined()
  })

  test("of a client that stays unknown after it has registered again is the server's error", async () => {
    const { client, wire, store } = clientOf(await startedElsewhere(), { store: party.store })
    const line = path((await store.loadKey())!)
    const answer = { error: 'not_found', error_description: 'There is no such client.' }
    wire.on(line, () => Promise.resolve(jsonResponse(answer, 404)))
    expect(await codeOf(client.configuration())).toBe('not_found')
    expect([wire.count('POST /clients'), wire.count(line)]).toEqual([1, 2])
  })
})

describe('published documents', () => {
  const METADATA = 'GET /.well-known/oauth-authorization-server'
  const JWKS = 'GET /.well-known/jwks.json'

  test.each<[string, Record<string, unknown>, string]>([
    ['another issuer', { issuer: 'https://evil.test' }, 'issuer_mismatch'],
    ['no issuer', { issuer: undefined }, 'issuer_mismatch'],
    ['no enc', { access_token_encryption_enc_values_supported: undefined }, 'bad_answer'],
    ['an unknown enc', { access_token_encryption_enc_values_supported: ['none'] }, 'bad_answer'],
    ['no key type', { encryption_key_kty: undefined }, 'bad_answer'],
    ['a symmetric key type', { encryption_key_kty: 'oct' }, 'bad_answer'],
    ['an unknown curve', { encryption_key_crv: 'P-1' }, 'bad_answer'],
  ])('metadata with %s is refused before the client registers', async (_name, changes, code) => {
    const { client, wire } = clientOf(server)
    wire.change(METADATA, changes)
    expect(await codeOf(client.register())).toBe(code)
    expect(wire.count('POST /clients')).toBe(0)
  })

  const published = () => server.keystore.jwks.keys as (Record<string, unknown> & { use: string })[]
  const change = (use: string, changes: Record<string, unknown>) =>
    published().map((key) => (key.use === use ? { ...key, ...changes } : key))

  const useless: [string, () => unknown[]][] = [
    ['a key under another kid than its own', () => change('sig', { kid: 'another' })],
    ['a key without a kid', () => change('sig', { kid: undefined })],
    ['a key with use enc', () => change('sig', { use: 'enc' })],
    ['a key without use', () => change('sig', { use: undefined })],
    ['a key without an algorithm', () => change('sig', { alg: undefined })],
    ['a key of a symmetric algorithm', () => change('sig', { alg: 'HS256' })],
    ['a key without a type', () => change('sig', { kty: undefined })],
    ['a key without its point', () => change('sig', { x: undefined })],
  ]

  test.each<[string, () => unknown]>([
    ['no list', () => undefined],
    ['no key', () => []],
    ['text for a key', () => ['key']],
    ...useless,
    ['no encryption key', () => published().filter(({ use }) => use !== 'enc')],
    ['an encryption key under another kid', () => change('enc', { kid: 'another' })],
    ['an encryption key with an unknown algorithm', () => change('enc', { alg: 'dir' })],
    [
      'an encryption key with an algorithm of another key type',
      () => change('enc', { alg: 'RSA-OAEP-256' }),
    ],
  ])('a key set with %s is a bad answer: nothing is sent or stored', async (_name, keys) => {
    const { client, wire, store } = clientOf(server)
    wire.change(JWKS, { keys: keys() })
    const person = { email: someEmail(), password: GOOD_PASSWORD }
    expect(await codeOf(client.signUp(person))).toBe('bad_answer')
    expect(wire.sent.map(({ line }) => line).sort()).toEqual([JWKS, METADATA])
    expect(await storedSession(store)).toBeUndefined()
    expect(await store.read('server')).toBeUndefined()
  })

  test.each(useless)(
    'a key set with %s and a foreign key verifies nothing',
    async (_name, keys) => {
      const { client, wire, store } = clientOf(server)
      const { publicJwk } = (await startedElsewhere()).keystore.signingKey
      wire.change(JWKS, { keys: [...keys(), publicJwk] })
      const person = { email: someEmail(), password: GOOD_PASSWORD }
      expect(await codeOf(client.signUp(person))).toBe('token_invalid')
      expect(await storedSession(store)).toBeUndefined()
    },
  )

  test('a key set that answers 404 is a network error with that status', async () => {
    const { client, wire } = clientOf(server)
    wire.on(JWKS, () => Promise.resolve(new Response('nothing here', { status: 404 })))
    expect(await errorOf(client.register())).toMatchObject({ code: 'network', status: 404 })
  })
})

describe('an address', () => {
  test.each([
    'http://example.com',
    'http://192.168.0.1:3000',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'ftp://localhost',
    'file:///tmp/server',
    'data:text/plain,x',
    'javascript:alert(1)',
    'example.com',
    '',
  ])('%j is refused, as a server and as a service', (address) => {
    const store = memoryStore()
    expect(() => new AuthClient({ server: address, store })).toThrow(
      expect.objectContaining({ code: 'insecure_server' }),
    )
    expect(() => new AuthClient({ server: address, store })).toThrow(address)
    const services = [address]
    expect(() => new AuthClient({ server: 'https://auth.test', services, store })).toThrow(
      expect.objectContaining({ code: 'insecure_server' }),
    )
  })

  test.each([
    'https://example.com',
    'https://example.com/auth/',
    'http://localhost:3000',
    'http://127.0.0.1:3000/',
    'http://[::1]:3000',
  ])('%j is accepted as a server', (address) => {
    expect(() => new AuthClient({ server: address, store: memoryStore() })).not.toThrow()
  })

  test('outside the server gets no request at all', async () => {
    const { client, wire } = await signedUp(server)
    const { port } = new URL(server.url)
    const before = wire.sent.length
    for (const url of [
      'https://example.com/account',
      `http://localhost:${port}/account`,
      `http://127.0.0.1:${Number(port) + 1}/account`,
      `https://127.0.0.1:${port}/account`,
      new Request('https://example.com/account', { method: 'POST', body: 'x' }),
      new URL('https://example.com'),
    ]) {
      expect(await codeOf(client.fetch(url))).toBe('origin_not_allowed')
    }
    expect(wire.sent.length).toBe(before)
    // A path is always a path of the server, whatever it looks like.
    expect((await client.fetch('//example.com/account')).status).toBe(404)
    expect(new URL(wire.sent.at(-1)!.request.url).host).toBe(`127.0.0.1:${port}`)
  })

  test("beside the server's own path gets no request", async () => {
    const beside = new AuthClient({ server: `${server.url}/auth`, store: memoryStore() })
    expect(await codeOf(beside.fetch('/../account'))).toBe('origin_not_allowed')
    expect(await codeOf(beside.fetch(`${server.url}/authority`))).toBe('origin_not_allowed')
  })
})

/** Another server, with other keys. */
let elsewhere: TestServer | undefined
async function startedElsewhere() {
  elsewhere ??= await startServer()
  return elsewhere
}
afterAll(() => elsewhere?.stop())

describe('a server that misbehaves', () => {
  /** A server on its own port that answers every request in this way. */
  async function listening(listener: RequestListener) {
    const seen: string[] = []
    const hostile = createServer((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'}`)
      listener(request, response)
    })
    hostile.listen(0, '127.0.0.1')
    await once(hostile, 'listening')
    const url = `http://127.0.0.1:${(hostile.address() as AddressInfo).port}`
    const stop = async () => {
      hostile.closeAllConnections()
      hostile.close()
      await once(hostile, 'close')
    }
    return { url, seen, stop }
  }

  test.each([301, 302, 307, 308])('with a redirect (%i) is not followed', async (status) => {
    const target = await listening((_, response) => response.end('{}'))
    const source = await listening((_, response) =>
      response.writeHead(status, { location: `${target.url}/` }).end(),
    )
    try {
      const client = new AuthClient({ server: source.url, store: memoryStore() })
      expect(await codeOf(client.register())).toBe('network')
      const { client: other, wire } = await signedUp(server)
      wire.on('GET /account', (request) =>
        fetch(
          new Request(`${source.url}/account`, {
            headers: request.headers,
            redirect: request.redirect,
          }),
        ),
      )
      expect(await codeOf(other.fetch('/account'))).toBe('network')
      expect(target.seen).toEqual([])
    } finally {
      await Promise.all([target.stop(), source.stop()])
    }
  })

  test('with a broken answer counts as unreachable', async () => {
    const broken = await listening((_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{')
      response.destroy()
    })
    try {
      const client = new AuthClient({ server: broken.url, store: memoryStore() })
      expect(await codeOf(client.register())).toBe('network')
    } finally {
      await broken.stop()
    }
  })

  test('causes an error that does not contain the query or the fragment', async () => {
    const { client, wire } = await signedUp(server)
    wire.isDown = true
    const error = await errorOf(client.fetch('/account?secret=1#secret'))
    expect(error.code).toBe('network')
    expect(error.message).not.toContain('secret')
  })
})
