/** How the client library seals its requests and opens the answers. */
import { compactDecrypt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { AuthClientOptions } from '../../../client/index.ts'
import { fileStore } from '../../../client/node.ts'
import type { Algorithms } from '../../../protocol/algorithms.ts'
import { defineFeature, type Feature } from '../../../server/feature.ts'
import { sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import { secretBody } from '../../../server/http/route-table.ts'
import { HttpError } from '../../../server/http/http-error.ts'
import { createEphemeralKeystore } from '../../../server/keystore/keystore.ts'
import {
  clientOf,
  codeOf,
  errorOf,
  rotatingKeystore,
  scratchFolder,
  signedUp,
  startServer,
  type Wire,
} from '../../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'
import type { TestServer } from '../../support/server.ts'
import { sha256 } from './sealing-client.ts'

const JOSE = 'application/jose'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const NEW_PASSWORD = 'another brick in the wall'

/** Routes and a grant of other features; they keep the bodies that they receive. */
const received: unknown[] = []
const others = defineFeature({
  create: () => ({
    grants: {
      [EXCHANGE]: secretBody((ctx) => {
        received.push(ctx.request.body)
        throw new HttpError('invalid_request', 'The ID token is not valid.')
      }),
    },
    routes({ open, signedIn }) {
      open('POST', '/account/password-reset', (ctx) => {
        received.push(ctx.request.body)
        ctx.status = 202
        ctx.body = {}
      })
      open(
        'PUT',
        '/account/password-reset',
        secretBody((ctx) => {
          received.push(ctx.request.body)
          ctx.status = 204
        }),
      )
      const entry = { session_id: 's', client_id: 'c', created_at: 'x', last_used_at: 'x' }
      signedIn('GET', '/account/sessions', (ctx) => {
        ctx.body = { sessions: [{ ...entry, client_name: null, current: true }] }
      })
      signedIn('GET', '/list', (ctx) => (ctx.body = ['one', 'two']))
      signedIn('GET', '/text', (ctx) => (ctx.body = 'name;city'))
      signedIn('POST', '/form', (ctx) => (ctx.body = ctx.request.body))
    },
  }),
})

const running: TestServer[] = []
async function start(
  config: Parameters<typeof startServer>[0] = {},
  options: Parameters<typeof startServer>[1] = {},
  features: readonly Feature[] = [sealedBodies, others],
) {
  const server = await startServer(config, { ...options, features })
  running.push(server)
  return server
}
let server: TestServer
beforeAll(async () => {
  server = await start({ requestBinding: 'required' }, { variables: REQUIRED })
})
afterAll(() => Promise.all(running.map((each) => each.stop())))
const REQUIRED = { SEALED_BODIES: 'required' }

/** Records the media types of requests to account and token routes and of their answers. */
function watch(wire: Wire) {
  const seen: {
    line: string
    type: string | null
    accept: string | null
    answer: string | null
  }[] = []
  for (const line of LINES) {
    wire.on(line, async (request, send) => {
      const response = await send(request)
      const { headers } = request
      seen.push({
        line,
        type: headers.get('content-type'),
        accept: headers.get('accept'),
        answer: response.headers.get('content-type'),
      })
      return response
    })
  }
  return seen
}
const LINES = [
  'POST /account',
  'POST /account/login',
  'GET /account',
  'PATCH /account',
  'DELETE /account',
  'PUT /account/password',
  'GET /account/sessions',
  'POST /token',
  'GET /list',
  'GET /text',
  'POST /account/password-reset',
  'PUT /account/password-reset',
  'POST /form',
]
const bodyOf = (wire: Wire, line: string) =>
  wire.sent.findLast((sent) => sent.line === line)!.request.text()
const sealedRequest = (line: string, answer: string | null = JOSE) => ({
  line,
  type: JOSE,
  accept: JOSE,
  answer,
})

test('account methods seal their requests, and get sealed answers', async () => {
  const { client, wire } = clientOf(server)
  const seen = watch(wire)
  const email = someEmail()
  await client.signUp({ email, password: GOOD_PASSWORD })
  expect(await codeOf(client.signIn({ email, password: 'a wrong and winding road' }))).toBe(
    'invalid_grant',
  )
  await client.signIn({ email, password: GOOD_PASSWORD })
  await client.account.rename('Ada')
  await client.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
  expect((await client.account.read()).account).toMatchObject({ email, name: 'Ada' })
  expect(await client.account.sessions()).toHaveLength(1)
  await (await client.vault()).set('draft', { text: 'Dear Charles' })
  await client.account.remove(NEW_PASSWORD)
  expect(seen).toEqual([
    ...['POST /account', 'POST /account/login', 'POST /account/login', 'PATCH /account'].map(
      (line) => sealedRequest(line),
    ),
    sealedRequest('PUT /account/password'),
    { ...sealedRequest('GET /account'), type: null },
    { ...sealedRequest('GET /account/sessions'), type: null },
    // A 204 has no body.
    sealedRequest('DELETE /account', null),
  ])
})

test('resume() gets a sealed answer', async () => {
  const { email, store } = await signedUp(server)
  const { client, wire } = clientOf(server, { store })
  const seen = watch(wire)
  expect((await client.resume())?.account?.email).toBe(email)
  expect(await client.vault()).toBeDefined()
  expect(seen).toEqual([{ ...sealedRequest('GET /account'), type: null }])
})

test('a client that does not seal resumes its session without a vault', async () => {
  const { store, client: before } = await signedUp(server)
  await (await before.vault()).set('a', 1)
  const { client } = clientOf(server, { store, sealedBodies: 'never' })
  expect((await client.resume())?.sessionId).toBe(before.session?.sessionId)
  expect(await codeOf(client.vault())).toBe('sealing_required')
  expect((await client.account.rename('Ada')).name).toBe('Ada')
  const { client: sealing } = clientOf(server, { store })
  expect(await (await sealing.vault()).get('a')).toBe(1)
})

test('a client that has missed the offer of sealed bodies opens the vault once it sees it', async () => {
  const { store } = await signedUp(server)
  await store.write('server', undefined)
  const { client, wire } = clientOf(server, { store })
  wire.change('GET /.well-known/oauth-authorization-server', { sealed_bodies: undefined })
  expect(await client.resume()).toBeDefined()
  expect(await codeOf(client.vault())).toBe('sealing_required')
  wire.on('GET /.well-known/oauth-authorization-server', undefined)
  server.clock.advance(301)
  expect(await client.vault()).toBeDefined()
})

test('token exchange and password reset are sealed', async () => {
  const { client, wire } = clientOf(server)
  const seen = watch(wire)
  received.length = 0
  expect(await codeOf(client.signInWith({ subjectToken: 'a.b.c' }))).toBe('invalid_request')
  await client.account.requestPasswordReset('ada@mail.test')
  const reset = { email: 'ada@mail.test', token: 'd.e.f', password: NEW_PASSWORD }
  await client.account.resetPassword(reset)
  expect(seen).toEqual([
    ...['POST /token', 'POST /account/password-reset'].map((line) => sealedRequest(line)),
    sealedRequest('PUT /account/password-reset', null),
  ])
  const client_id = (await client.register()).id
  expect(received).toMatchObject([
    { grant_type: EXCHANGE, subject_token: 'a.b.c', client_id },
    { email: 'ada@mail.test', client_id },
    { token: 'd.e.f', new_password: NEW_PASSWORD, client_id },
  ])
})

test('a sealed body names its request and its token, and each is new', async () => {
  const { client, wire } = await signedUp(server)
  await client.account.rename('Ada')
  await client.account.rename('Ada')
  const [one, two] = wire.sent.filter(({ line }) => line === 'PATCH /account')
  const { jws } = await client.accessToken()
  const body = await one!.request.clone().text()
  const { req, cty, epk, ...header } = decodeProtectedHeader(body)
  expect(header).toEqual({
    alg: 'ECDH-ES+A128KW',
    enc: 'A128GCM',
    kid: server.keystore.encryptionKey.kid,
  })
  expect(cty).toBe('json')
  const { issuer } = server.config
  expect(req).toEqual({
    jti: expect.any(String),
    iat: Math.floor(server.clock() / 1000),
    htm: 'PATCH',
    htu: `${issuer}/account`,
    ath: sha256(jws),
  })
  // The token is bound to the exact bytes, and shares its session's key agreement.
  const token = decodeProtectedHeader(one!.request.headers.get('authorization')!.slice(7))
  expect(token['req']).toMatchObject({ dig: sha256(body), mac: expect.any(String) })
  expect(token['epk']).toEqual(epk)
  const again = decodeProtectedHeader(await two!.request.clone().text())['req']
  expect(again).not.toMatchObject({ jti: (req as { jti: string }).jti })
  const { plaintext } = await compactDecrypt(body, server.keystore.encryptionKey.privateKey)
  expect(new TextDecoder().decode(plaintext)).toBe('{"name":"Ada"}')
})

test('without a session each body has its own key agreement', async () => {
  const { client, wire } = clientOf(server)
  for (let i = 0; i < 2; i++) await codeOf(client.signIn({ email: 'x@mail.test', password: 'x' }))
  const sent = wire.sent.filter(({ line }) => line === 'POST /account/login')
  const keys = await Promise.all(
    sent.map(async ({ request }) => decodeProtectedHeader(await request.text())['epk']),
  )
  expect(new Set(keys.map((epk) => JSON.stringify(epk))).size).toBe(2)
})

describe('fetch', () => {
  test('seals a JSON body, and returns the answer as if it were plain', async () => {
    const { client, wire } = await signedUp(server)
    const seen = watch(wire)
    const headers = { 'content-type': 'Application/JSON; charset=utf-8', 'x-request-id': 'mine' }
    const init = { method: 'PATCH', headers, body: '{"name":"Zoë"}' }
    const renamed = await client.fetch('/account', init)
    expect([renamed.status, renamed.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(renamed.headers.get('x-request-id')).toBe('mine')
    expect(renamed.headers.has('content-length')).toBe(false)
    expect(await renamed.json()).toMatchObject({ account: { name: 'Zoë' } })
    const wrong = await client.fetch('/account', { ...init, body: '{"name":7}' })
    expect([wrong.status, await wrong.json()]).toMatchObject([400, { error: 'invalid_request' }])
    expect(await (await client.fetch('/list')).json()).toEqual(['one', 'two'])
    expect(seen.map(({ answer }) => answer)).toEqual([JOSE, JOSE, JOSE])
  })

  test('sends other bodies plain, and refuses to do so if sealing is required', async () => {
    const { client, wire, store } = await signedUp(server)
    const form = { method: 'POST', body: new URLSearchParams({ name: 'Ada' }) }
    expect(await (await client.fetch('/text')).text()).toBe('name;city')
    expect((await client.fetch('/form', form)).status).toBe(200)
    expect(await bodyOf(wire, 'POST /form')).toBe('name=Ada')

    const strict = clientOf(server, { store, sealedBodies: 'required' })
    expect(await codeOf(strict.client.fetch('/text'))).toBe('answer_not_sealed')
    expect(await errorOf(strict.client.fetch('/form', form))).toMatchObject({
      code: 'sealing_not_offered',
      message: 'Only a body in JSON can be sealed.',
    })
    expect(strict.wire.count('POST /form')).toBe(0)
    expect((await strict.client.fetch('/account', { method: 'HEAD' })).status).toBe(200)
  })

  test('rejects with AbortError if the answer is aborted', async () => {
    const { client, wire } = await signedUp(server)
    const controller = new AbortController()
    wire.on('GET /account', async (request, send) => {
      const { headers } = await send(request)
      const body = new ReadableStream({
        pull(stream) {
          controller.abort()
          stream.error(controller.signal.reason)
        },
      })
      return new Response(body, { headers })
    })
    const answer = client.fetch('/account', { signal: controller.signal })
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe("the server's metadata decides, unless the app requires or forbids sealing:", () => {
  async function lineTypes(where: TestServer, options: Partial<AuthClientOptions>) {
    const { client, wire } = clientOf(where, options)
    const seen = watch(wire)
    await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    await client.account.read()
    return new Set(seen.map(({ answer }) => answer))
  }
  const PLAIN = 'application/json; charset=utf-8'

  test.each([
    ['optional', undefined, JOSE],
    ['optional', 'required', JOSE],
    ['optional', 'never', PLAIN],
  ] as const)('SEALED_BODIES=%s, sealedBodies: %s', async (policy, mode, type) => {
    const where = await start({}, { variables: { SEALED_BODIES: policy } })
    const options = mode === undefined ? {} : { sealedBodies: mode }
    expect(await lineTypes(where, options)).toEqual(new Set([type]))
  })

  test('a server without sealed bodies', async () => {
    const without = await start({}, {}, [])
    expect(await lineTypes(without, {})).toEqual(new Set([PLAIN]))
    const { client, wire } = clientOf(without, { sealedBodies: 'required' })
    const person = { email: someEmail(), password: GOOD_PASSWORD }
    expect(await codeOf(client.signUp(person))).toBe('sealing_not_offered')
    expect(wire.count('POST /account')).toBe(0)
  })
})

describe('a refused body is sent once more', () => {
  test.each([600, -600])('if the clock is %i s off', async (seconds) => {
    const clock = () => server.clock() + seconds * 1000
    const { client, wire, email } = await signedUp(server, { clock })
    expect(wire.count('POST /account')).toBe(2)
    await client.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    expect(wire.count('PUT /account/password')).toBe(1)
    expect((await client.account.read()).account.email).toBe(email)
  })

  test('if the clock is corrected during a session', async () => {
    let wrong = 600_000
    const { client } = await signedUp(server, { clock: () => server.clock() + wrong })
    wrong = 0
    await client.account.rename('Ada')
    expect((await client.account.read()).account.name).toBe('Ada')
  })

  test('if the server no longer has the key', async () => {
    const keys = await rotatingKeystore()
    const where = await start({}, { keystore: keys.keystore })
    const { client, wire, email } = await signedUp(where)
    await keys.rotate()
    keys.prune()
    wire.sent.length = 0
    await client.signIn({ email, password: GOOD_PASSWORD })
    expect(wire.count('POST /account/login')).toBe(2)
  })

  test('but a refusal that breaks off is a network error', async () => {
    const { client, wire } = clientOf(server)
    const body = () =>
      new ReadableStream({
        pull: (stream) => {
          stream.error(new TypeError('gone'))
        },
      })
    const headers = { 'content-type': 'application/json' }
    wire.on('POST /account/login', () =>
      Promise.resolve(new Response(body(), { status: 400, headers })),
    )
    const person = { email: 'x@mail.test', password: GOOD_PASSWORD }
    expect(await codeOf(client.signIn(person))).toBe('network')
  })

  test('but not after a refusal for another reason', async () => {
    const { client, wire } = clientOf(server)
    const weak = { email: someEmail(), password: 'x' }
    expect(await codeOf(client.signUp(weak))).toBe('invalid_request')
    expect(wire.count('POST /account')).toBe(1)
  })
})

describe('every kind of key works:', () => {
  const RSA: Algorithms = {
    signingAlg: 'PS256',
    encryptionAlg: 'RSA-OAEP-256',
    encryptionEnc: 'A256GCM',
  }
  const ecdh = (
    encryptionAlg: Algorithms['encryptionAlg'],
    encryptionCrv: NonNullable<Algorithms['encryptionCrv']>,
  ): Algorithms => ({
    signingAlg: 'ES256',
    encryptionEnc: 'A128CBC-HS256',
    encryptionAlg,
    encryptionCrv,
  })

  test.each([
    ['RSA-OAEP-256', RSA],
    ['X25519, ECDH-ES+A128KW', ecdh('ECDH-ES+A128KW', 'X25519')],
    ['X25519, ECDH-ES', ecdh('ECDH-ES', 'X25519')],
    ['P-256, ECDH-ES+A256KW', ecdh('ECDH-ES+A256KW', 'P-256')],
    ['P-384, ECDH-ES+A256KW', ecdh('ECDH-ES+A256KW', 'P-384')],
    ['P-521, ECDH-ES', ecdh('ECDH-ES', 'P-521')],
  ])('%s', async (_, algorithms) => {
    const keystore = await createEphemeralKeystore(algorithms)
    const where = await start({ algorithms }, { keystore })
    const { client, wire } = clientOf(where, { sealedBodies: 'required' })
    const seen = watch(wire)
    await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    await client.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    expect((await client.account.read()).database_key).toEqual(expect.any(String))
    await client.account.remove(NEW_PASSWORD)
    expect(seen.map(({ answer }) => answer)).toEqual([JOSE, JOSE, JOSE, null])
  })
})

test('a session is resumed from a file store', async () => {
  const folder = await scratchFolder()
  const open = () => fileStore({ folder, passphrase: 'a passphrase', scryptCost: CHEAP_SCRYPT })
  const sealedBodies = 'required'
  const { email } = await signedUp(server, { store: open(), sealedBodies })
  const { client } = clientOf(server, { store: open(), sealedBodies })
  expect((await client.resume())?.account?.email).toBe(email)
})
