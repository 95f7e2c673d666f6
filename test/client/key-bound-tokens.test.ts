/** How the library asks for key-bound tokens, proves them, and insists on them. */
import { webcrypto } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { memoryStore, type ClientStore } from '../../client/index.ts'
import { fileStore } from '../../client/node.ts'
import type { Algorithms } from '../../protocol/algorithms.ts'
import { generateKeyPair } from '../../server/keystore/key-pair.ts'
import { createKeystore } from '../../server/keystore/keystore.ts'
import { DEFAULTS, keySet, ring } from '../keystore/fixtures.ts'
import {
  clientOf,
  codeOf,
  errorOf,
  jsonResponse,
  rotatingKeystore,
  scratchFolder,
  signedUp,
  startServer,
  storedSession,
  type Party,
  type Wire,
} from '../support/auth-client.ts'
import { createLine, ISSUER, startService } from '../resource-server/fixtures.ts'
import { GOOD_PASSWORD, someEmail, TestClient } from '../support/client.ts'
import { PLAIN_PATH, plainRoute } from '../support/plain-route.ts'
import { macOf } from '../support/request-proof.ts'
import { CHEAP_SCRYPT } from '../support/scrypt.ts'
import type { TestServer } from '../support/server.ts'

const METADATA = 'GET /.well-known/oauth-authorization-server'
const RSA: Algorithms = {
  signingAlg: 'ES256',
  encryptionAlg: 'RSA-OAEP-256',
  encryptionEnc: 'A128GCM',
}
const CLIENTS = 'POST /clients'
const TOKEN = 'POST /token'

const running: TestServer[] = []
afterEach(async () => {
  jest.restoreAllMocks()
  await Promise.all(running.splice(0).map((server) => server.stop()))
})

async function start(...args: Parameters<typeof startServer>) {
  const server = await startServer(...args)
  running.push(server)
  return server
}

let keys: Awaited<ReturnType<typeof rotatingKeystore>>
let server: TestServer
beforeEach(async () => {
  keys = await rotatingKeystore()
  server = await start({ requestBinding: 'required' }, { keystore: keys.keystore })
})

const status = async ({ client }: Pick<Party, 'client'>) => (await client.fetch('/account')).status
const bodyOf = (request: Request) => request.clone().json() as Promise<Record<string, string>>
const jwksOf = async (url: string) =>
  ((await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] }).keys
const rows = async ({ database } = server) =>
  database.selectFrom('clients').selectAll().orderBy('created_at').execute()
const sessions = async () => server.database.selectFrom('sessions').selectAll().execute()

/** Every token sent, with the method and path of its request. */
async function tokensOf({ sent }: Wire) {
  const all = await Promise.all(
    sent.map(async ({ request, line }) => {
      const authorization = request.headers.get('authorization')
      const isBody = ['POST /token', 'POST /revoke'].includes(line)
      const { refresh_token, token } = isBody ? await bodyOf(request) : {}
      return { line, jwe: authorization?.slice('Bearer '.length) ?? refresh_token ?? token }
    }),
  )
  return all.flatMap(({ line, jwe }) => (jwe === undefined ? [] : [{ line, jwe }]))
}
const reqOf = (jwe: string) => decodeProtectedHeader(jwe)['req'] as Record<string, unknown>

/** The proof keys derived from now on, told from other HKDF keys by their `info`. */
function watchProofKeys() {
  const derive = jest.spyOn(webcrypto.subtle, 'deriveKey')
  return () =>
    derive.mock.calls.flatMap(([algorithm], index) => {
      const { info } = algorithm as webcrypto.HkdfParams
      const [use, , kid] = new TextDecoder().decode(info).split('\0')
      const key = derive.mock.results[index]!.value as Promise<webcrypto.CryptoKey>
      return use === 'jwe-auth-server request proof' ? [{ kid, key }] : []
    })
}

/** A store of each kind, and a function that opens it again. */
const STORES: [string, () => Promise<() => ClientStore>][] = [
  [
    'memory',
    () => {
      const store = memoryStore()
      return Promise.resolve(() => store)
    },
  ],
  [
    'a file',
    async () => {
      const options = { folder: await scratchFolder(), passphrase: 'x', scryptCost: CHEAP_SCRYPT }
      return () => fileStore(options)
    },
  ],
]

describe('a new installation', () => {
  test('asks for key-bound tokens, and sends a proof with every token', async () => {
    const party = await signedUp(server)
    const { client, wire, store, email } = party
    expect(await bodyOf(wire.sent.find(({ line }) => line === CLIENTS)!.request)).toMatchObject({
      key_bound_tokens: true,
    })
    const { publicJwk, id } = (await store.loadKey())!
    const { claims } = await client.accessToken()
    expect(claims.cnf).toEqual({ jwk: publicJwk })
    expect((await rows()).map((row) => [row.client_id, row.key_bound_tokens])).toEqual([[id, 1]])

    expect(await status(party)).toBe(200)
    expect((await client.account.rename('Zoë')).name).toBe('Zoë')
    await client.refresh()
    await client.account.changePassword(GOOD_PASSWORD, 'another long and winding road')
    // Starts another session and ends this one.
    await client.signIn({ email, password: 'another long and winding road' })
    expect(await sessions()).toHaveLength(1)
    expect(await client.signOut()).toBe(true)
    expect(await sessions()).toHaveLength(0)
    const tokens = await tokensOf(wire)
    expect(tokens.map(({ line }) => line)).toEqual([
      'GET /account',
      'PATCH /account',
      TOKEN,
      'PUT /account/password',
      'POST /revoke',
      'POST /account/logout',
    ])
    for (const { line, jwe } of tokens) {
      const { htm, htu, mac, dig } = reqOf(jwe)
      expect([line, typeof mac]).toEqual([line, 'string'])
      expect(`${String(htm)} ${String(htu)}`).toBe(line.replace(' ', ` ${server.config.issuer}`))
      expect(dig !== undefined).toBe(/^P(ATCH|UT) /.test(line))
    }
    expect(new Set(tokens.map(({ jwe }) => reqOf(jwe)['jti'])).size).toBe(tokens.length)
  })

  test('sends the proof that the contract describes', async () => {
    const { client, wire, store } = await signedUp(server)
    const body = JSON.stringify({ name: 'Ada' })
    const headers = { 'content-type': 'application/json' }
    await client.fetch('/account', { method: 'PATCH', headers, body })
    const jwe = (await tokensOf(wire))[0]!.jwe
    const { mac, ...req } = reqOf(jwe)
    const { id: clientId, privateKey } = (await store.loadKey())!
    const [recipient] = keys.keystore.jwks.keys.filter(({ use }) => use === 'enc')
    const { jws } = await client.accessToken()
    expect(mac).toBe(await macOf({ privateKey, clientId, recipient: recipient!, jws, req }))
  })

  test.each(['P-384', 'P-521', 'X25519'] as const)(
    'sends valid proofs on %s',
    async (encryptionCrv) => {
      const other = await start({ algorithms: { ...DEFAULTS, encryptionCrv } })
      const party = await signedUp(other)
      expect((await party.client.accessToken()).claims.cnf?.jwk.crv).toBe(encryptionCrv)
      expect(await status(party)).toBe(200)
      await party.client.refresh()
      await party.client.signIn({ email: party.email, password: GOOD_PASSWORD })
      expect(await status(party)).toBe(200)
      expect(await other.database.selectFrom('sessions').selectAll().execute()).toHaveLength(1)
    },
  )

  test('has tokens that nobody else can use, even decrypted', async () => {
    const { client } = await signedUp(server)
    const { jws } = await client.accessToken()
    const thief = await TestClient.registered(server.url, { key_bound_tokens: true })
    const iat = Math.floor(server.clock() / 1000)
    const req = { jti: 'theft', iat, htm: 'GET', htu: `${server.config.issuer}/account` }
    for (const attempt of [req, await thief.prove(jws, req)]) {
      const authorization = `Bearer ${await thief.seal(jws, { req: attempt })}`
      expect((await thief.send('GET', '/account', undefined, { authorization })).status).toBe(401)
    }
  })
})

describe('without server support', () => {
  test.each<[string, Parameters<typeof startServer>[0]]>([
    ['with key-bound tokens switched off', { keyBoundTokens: false }],
    ['with RSA keys', { algorithms: RSA, keyBoundTokens: false }],
  ])('%s, the client asks for none', async (_name, config) => {
    const party = await signedUp(await start(config))
    const { client, wire } = party
    expect(await bodyOf(wire.sent.find(({ line }) => line === CLIENTS)!.request)).toMatchObject({
      key_bound_tokens: false,
    })
    expect((await client.accessToken()).claims.cnf).toBeUndefined()
    expect(await status(party)).toBe(200)
    await client.refresh()
    for (const { jwe } of await tokensOf(wire)) {
      expect(reqOf(jwe)).toMatchObject({ htm: expect.any(String) })
      expect(reqOf(jwe)['mac']).toBeUndefined()
    }
  })

  test('an RSA server that claims support is asked for none', async () => {
    const rsa = await start({ algorithms: RSA, keyBoundTokens: false })
    const { client, wire } = clientOf(rsa)
    wire.change(METADATA, { key_bound_tokens_supported: true })
    await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    expect(wire.count(CLIENTS)).toBe(1)
  })

  test('a client that already has them keeps them', async () => {
    const { client, store, wire, email } = await signedUp(server)
    server.clock.advance(300)
    wire.change(METADATA, { key_bound_tokens_supported: false })
    await client.signIn({ email, password: GOOD_PASSWORD })
    expect((await client.accessToken()).claims.cnf).toBeDefined()
    expect(await status({ client })).toBe(200)
    expect(await status(clientOf(server, { store }))).toBe(200)
  })
})

describe('an app that requires them', () => {
  const required = { keyBoundTokens: 'required' } as const
  const person = () => ({ email: someEmail(), password: GOOD_PASSWORD })

  test('gets them', async () => {
    const { client } = await signedUp(server, required)
    expect((await client.accessToken()).claims.cnf).toBeDefined()
    expect(await status({ client })).toBe(200)
  })

  test.each([
    { key_bound_tokens_supported: false },
    { key_bound_tokens_supported: null },
    { encryption_key_kty: 'RSA' },
  ])('registers no client if the metadata is changed by %j', async (changes) => {
    const { client, wire } = clientOf(server, required)
    wire.change(METADATA, changes)
    expect(await errorOf(client.signUp(person()))).toMatchObject({
      code: 'key_binding_not_offered',
      message: `${server.url} does not offer key-bound tokens.`,
    })
    expect(wire.count(CLIENTS)).toBe(0)
  })

  test('does not resume a session without them, which ends at the next sign-in', async () => {
    const { client, wire, store } = clientOf(server)
    wire.change(METADATA, { key_bound_tokens_supported: false })
    const someone = person()
    await client.signUp(someone)
    server.clock.advance(300)
    const onRefused = jest.fn<(error: unknown) => void>()
    const strict = clientOf(server, { ...required, store, onRefused })
    expect(await strict.client.resume()).toBeUndefined()
    expect(onRefused).toHaveBeenCalledWith(
      expect.objectContaining({ code: 'token_invalid', message: 'The token is not valid: cnf.' }),
    )
    expect(await codeOf(strict.client.fetch('/account'))).toBe('not_signed_in')
    await strict.client.signIn(someone)
    expect(await status(strict)).toBe(200)
    expect(await sessions()).toHaveLength(1)
  })

  test('keeps a session with them, whatever the metadata says', async () => {
    const { client, wire } = await signedUp(server, required)
    wire.change(METADATA, { key_bound_tokens_supported: false })
    server.clock.advance(300)
    expect(await status({ client })).toBe(200)
    await client.refresh()
    expect((await client.accessToken()).claims.cnf).toBeDefined()
  })
})

describe.each(STORES)('an older installation, stored in %s,', (_kind, createStore) => {
  /** Somebody whose client was registered before the server supported key-bound tokens. */
  async function longSignedUp() {
    const open = await createStore()
    const { client, wire } = clientOf(server, { store: open() })
    wire.change(METADATA, { key_bound_tokens_supported: undefined })
    const email = someEmail()
    await client.signUp({ email, password: GOOD_PASSWORD })
    await (await client.vault()).set('draft', 'Dear Ada')
    expect((await client.accessToken()).claims.cnf).toBeUndefined()
    server.clock.advance(300)
    return { ...clientOf(server, { store: open() }), open, email }
  }

  test('keeps its old key when a sign-in fails', async () => {
    const party = await longSignedUp()
    const { client, store, email, open } = party
    const { id } = (await store.loadKey())!
    const work = async (auth = client) => {
      expect(await (await auth.vault()).get('draft')).toBe('Dear Ada')
      await auth.refresh()
      expect((await auth.accessToken()).claims.cnf).toBeUndefined()
      expect(await status({ client: auth })).toBe(200)
    }
    await work()
    const wrong = { email, password: 'a wrong and winding road' }
    expect(await codeOf(client.signIn(wrong))).toBe('invalid_grant')
    await work()
    expect(await codeOf(client.signIn(wrong))).toBe('invalid_grant')
    await work(clientOf(server, { store: open() }).client)
    expect((await open().loadKey())?.id).toBe(id)
    // Both tries share one new key.
    expect((await rows()).map((row) => row.key_bound_tokens)).toEqual([0, 1])
  })

  test('gets a new key at its next sign-in, which ends the previous session', async () => {
    const { client, store, email, open, wire } = await longSignedUp()
    const { id } = (await store.loadKey())!
    await client.resume()
    await client.signIn({ email, password: GOOD_PASSWORD })
    const key = (await store.loadKey())!
    expect(key.id).not.toBe(id)
    expect(key.privateKey.extractable).toBe(false)
    expect((await client.accessToken()).claims).toMatchObject({
      client_id: key.id,
      cnf: { jwk: key.publicJwk },
    })
    expect((await sessions()).map(({ client_id }) => client_id)).toEqual([key.id])
    const again = clientOf(server, { store: open() })
    expect((await again.client.resume())?.clientId).toBe(key.id)
    expect(await status(again)).toBe(200)
    await again.client.signIn({ email, password: GOOD_PASSWORD })
    expect((await open().loadKey())?.id).toBe(key.id)
    expect(wire.count(CLIENTS)).toBe(2)
  })

  test('gets one new key for its nonces, and does not use it before the sign-in', async () => {
    const { client, open } = await longSignedUp()
    const nonce = await client.nonce()
    expect(await clientOf(server, { store: open() }).client.nonce()).toBe(nonce)
    expect(await client.nonce()).not.toBe((await open().loadKey())?.id)
  })
})

describe('a client that has asked for key-bound tokens', () => {
  test('refuses a registration that does not confirm them', async () => {
    const { client, wire, store } = clientOf(server)
    wire.change(CLIENTS, { key_bound_tokens: false })
    const person = { email: someEmail(), password: GOOD_PASSWORD }
    expect(await codeOf(client.signUp(person))).toBe('bad_answer')
    expect([wire.count(CLIENTS), wire.count('POST /account')]).toEqual([2, 0])
    expect(await storedSession(store)).toBeUndefined()
    wire.change(CLIENTS, { key_bound_tokens: 'true' })
    expect(await codeOf(client.signUp(person))).toBe('bad_answer')
    wire.on(CLIENTS, undefined)
    await client.signUp(person)
    expect((await client.accessToken()).claims.cnf).toBeDefined()
  })

  test('refuses unbound tokens at sign-in, even if the registration confirmed them', async () => {
    const { client, wire, store } = clientOf(server)
    wire.on(CLIENTS, async (request, send) => {
      const asked = { ...(await bodyOf(request)), key_bound_tokens: undefined }
      const { url, method, headers } = request
      const answer = await send(new Request(url, { method, headers, body: JSON.stringify(asked) }))
      const body = { ...((await answer.json()) as object), key_bound_tokens: true }
      return Response.json(body, { status: answer.status })
    })
    const person = { email: someEmail(), password: GOOD_PASSWORD }
    expect(await codeOf(client.signUp(person))).toBe('token_invalid')
    expect(client.session).toBeUndefined()
    expect(await storedSession(store)).toBeUndefined()
  })

  test('refuses unbound tokens at renewal', async () => {
    const { client, store } = await signedUp(server)
    const { refresh_token } = (await storedSession(store))!
    await server.database.updateTable('clients').set({ key_bound_tokens: 0 }).execute()
    expect(await codeOf(client.refresh())).toBe('token_invalid')
    expect((await storedSession(store))?.['refresh_token']).toBe(refresh_token)
  })
})

describe('the proof key', () => {
  test('is derived once for each recipient key, even for concurrent requests', async () => {
    const party = await signedUp(server)
    const derived = watchProofKeys()
    const first = keys.keystore.encryptionKey.kid
    await Promise.all([status(party), status(party), party.client.refresh()])
    await status(party)
    expect(derived().map(({ kid }) => kid)).toEqual([first])
    await keys.rotate()
    server.clock.advance(300)
    await status(party)
    await status(party)
    const second = keys.keystore.encryptionKey.kid
    expect(derived().map(({ kid }) => kid)).toEqual([first, second])
  })

  test('can only sign and cannot be exported', async () => {
    const party = await signedUp(server)
    const derived = watchProofKeys()
    await status(party)
    const key = await derived()[0]!.key
    expect(key).toMatchObject({ type: 'secret', extractable: false, usages: ['sign'] })
    const refused = { name: expect.stringMatching(/^InvalidAccess/) }
    await expect(webcrypto.subtle.exportKey('raw', key)).rejects.toMatchObject(refused)
    await expect(webcrypto.subtle.exportKey('jwk', key)).rejects.toMatchObject(refused)
  })

  test('is dropped when the session ends', async () => {
    const party = await signedUp(server)
    const { client, email } = party
    const derived = watchProofKeys()
    await status(party)
    await client.signOut()
    await client.signIn({ email, password: GOOD_PASSWORD })
    await status(party)
    expect(derived()).toHaveLength(2)
  })

  test('is derived again after a failure', async () => {
    const party = await signedUp(server)
    jest
      .spyOn(webcrypto.subtle, 'deriveKey')
      .mockRejectedValueOnce(new DOMException('no memory', 'OperationError'))
    expect(await codeOf(party.client.fetch('/account'))).toBe('bad_answer')
    expect(await status(party)).toBe(200)
  })

  test('cannot be derived while the store has no client key', async () => {
    const memory = memoryStore()
    let isLost = false
    const loadKey = async () => (isLost ? undefined : memory.loadKey())
    const { client } = await signedUp(server, { store: { ...memory, loadKey } })
    isLost = true
    expect(await codeOf(client.fetch('/account'))).toBe('not_signed_in')
    isLost = false
    expect(await status({ client })).toBe(200)
  })
})

test('a service gets proofs for its own key and accepts them', async () => {
  const { clock } = server
  const auth = await start({ issuer: ISSUER }, { clock })
  const { fetch } = createLine(auth)
  const service = await startService({ clock, fetch, keyBoundTokens: 'required' })
  try {
    const party = await signedUp(auth, { services: [service.url] })
    const derived = watchProofKeys()
    for (const init of [{}, { method: 'POST', body: '{}' }, {}]) {
      const headers = { 'content-type': 'application/json' }
      const answer = await party.client.fetch(`${service.url}/notes`, { ...init, headers })
      expect(answer.status).toBe(200)
      expect(await status(party)).toBe(200)
    }
    const [recipient] = (await jwksOf(service.url)).map(({ kid }) => kid)
    expect(derived().map(({ kid }) => kid)).toEqual([recipient, auth.keystore.encryptionKey.kid])
  } finally {
    await service.stop()
  }
})

test("a service without a key on the client's curve is sent nothing", async () => {
  const auth = await start({ issuer: ISSUER })
  const party = await signedUp(auth, { services: ['https://notes.test'] })
  const { publicJwk } = await generateKeyPair('enc', { ...DEFAULTS, encryptionCrv: 'X25519' })
  const keySet = () => Promise.resolve(jsonResponse({ keys: [publicJwk] }))
  party.wire.on('GET /.well-known/jwks.json', keySet)
  expect(await codeOf(party.client.fetch('https://notes.test/notes'))).toBe('bad_answer')
  expect(party.wire.count('GET /notes')).toBe(0)
  party.wire.on('GET /.well-known/jwks.json', undefined)
  expect(await status(party)).toBe(200)
})

describe("when the server's keys change", () => {
  test('a proof for a removed key is made again for the new one', async () => {
    const sig = await generateKeyPair('sig', DEFAULTS)
    const change = async () => keySet(ring(sig), ring(await generateKeyPair('enc', DEFAULTS)))
    const keystore = createKeystore(await change())
    const party = await signedUp(await start({}, { keystore, features: [plainRoute] }))
    const list = async ({ client }: Party) => (await client.fetch(PLAIN_PATH)).status
    expect(await list(party)).toBe(200)
    keystore.replace(await change())
    expect(await list(party)).toBe(200)
    expect(party.wire.count(TOKEN)).toBe(0)
    keystore.replace(await change())
    await party.client.refresh()
    expect(await list(party)).toBe(200)
    expect(party.wire.count(TOKEN)).toBe(2)
  })

  test("to another curve, the client uses the old curve's key until it is gone, then needs a new sign-in", async () => {
    const sig = await generateKeyPair('sig', DEFAULTS)
    const old = await generateKeyPair('enc', DEFAULTS)
    const algorithms = { ...DEFAULTS, encryptionCrv: 'X25519' } as const
    const fresh = await generateKeyPair('enc', algorithms)
    const keystore = createKeystore(keySet(ring(sig), ring(old)))
    const before = await start({}, { keystore })
    const { database, clock } = before
    const { store, email } = await signedUp(before)
    keystore.replace(keySet(ring(sig), ring(fresh, { previous: [old] })))
    clock.advance(300)
    const after = await start({ algorithms }, { keystore, database, clock })

    const party = clientOf(after, { store })
    expect((await party.client.resume())?.account?.email).toBe(email)
    await party.client.refresh()
    expect(await status(party)).toBe(200)
    const sealedTo = async () => (await tokensOf(party.wire)).map(({ jwe }) => jwe)
    for (const jwe of await sealedTo()) expect(decodeProtectedHeader(jwe).kid).toBe(old.kid)

    keystore.replace(keySet(ring(sig), ring(fresh)))
    expect(await codeOf(party.client.fetch('/account'))).toBe('not_signed_in')
    expect(await clientOf(after, { store }).client.resume()).toBeUndefined()
    expect(await codeOf(party.client.refresh())).toBe('not_signed_in')
    expect(party.client.session).toBeUndefined()
    expect(await storedSession(store)).toBeDefined()
    await party.client.signIn({ email, password: GOOD_PASSWORD })
    expect((await party.client.accessToken()).claims.cnf?.jwk.crv).toBe('X25519')
    expect(await status(party)).toBe(200)
  })
})

describe('a renewal', () => {
  test('that is retried is a new request with the same token', async () => {
    const { client, wire } = await signedUp(server)
    let answers = 0
    wire.on(TOKEN, async (request, send) => {
      const response = await send(request)
      // The server has used the token, but the answer is lost.
      return ++answers === 1 ? Promise.reject(new TypeError('fetch failed')) : response
    })
    await client.refresh()
    const tokens = (await tokensOf(wire)).map(({ jwe }) => jwe)
    expect(tokens).toHaveLength(2)
    expect(new Set(tokens.map((jwe) => reqOf(jwe)['jti'])).size).toBe(2)
    expect((await client.fetch('/account')).status).toBe(200)
  })

  test.each([61, -61, 6000])('does not end a session whose clock is %i s off', async (off) => {
    let wrong = 0
    const clock = () => server.clock() + wrong * 1000
    const { client, wire, store } = await signedUp(server, { clock })
    wrong = off
    await client.refresh()
    expect(wire.count(TOKEN)).toBe(2)
    expect((await storedSession(store))?.['clock_offset']).toBe(-off)
    expect((await client.fetch('/account')).status).toBe(200)
  })

  test('does not end a session whose clock is slow when the server has just restarted', async () => {
    const { database, clock, keystore } = server
    const slow = () => clock() - 4000
    const { store } = await signedUp(server, { clock: slow })
    const options = { database, clock, keystore, bindingsNotBefore: clock() }
    const { client, wire } = clientOf(await start({}, options), { store, clock: slow })
    await client.refresh()
    expect(wire.count(TOKEN)).toBe(2)
  })

  test('of an ended session ends it on the client too', async () => {
    const { client, wire, store } = await signedUp(server)
    await server.database.deleteFrom('sessions').execute()
    expect(await codeOf(client.refresh())).toBe('session_ended')
    expect(wire.count(TOKEN)).toBe(1)
    expect(await storedSession(store)).toBeUndefined()
  })
})

test('verify() returns the cnf claim', async () => {
  const { client } = await signedUp(server)
  const { jws } = await client.accessToken()
  expect(decodeJwt(jws)['cnf']).toEqual((await client.verify(jws)).cnf)
})
