import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import { defineFeature } from '../../../server/feature.ts'
import { sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import { HttpError } from '../../../server/http/http-error.ts'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { SealingClient, type SealedRequest } from './sealing-client.ts'

/** Routes that answer with text, with bytes, with a refusal, and with a fault. */
const others = defineFeature({
  create: () => ({
    routes: ({ open, signedIn }) => {
      open('POST', '/text', (ctx) => {
        ctx.body = 'text'
      })
      signedIn('GET', '/bytes', (ctx) => {
        ctx.body = Buffer.from('bytes')
      })
      signedIn('DELETE', '/missing', () => {
        throw new HttpError('not_found', 'There is no such thing.')
      })
      open('POST', '/fault', () => {
        throw new TypeError('a bug')
      })
    },
  }),
})

let server: TestServer
let client: SealingClient
let session: TestSession
let email: string
beforeAll(async () => {
  server = await startTestServer({ features: [sealedBodies, others] })
  client = await SealingClient.registered(server)
})
beforeEach(async () => {
  email = someEmail()
  session = await client.signUp(email, GOOD_PASSWORD)
})
afterAll(() => server.stop())

const login = (changes: object = {}): SealedRequest => ({
  method: 'POST',
  path: '/account/login',
  body: { email, password: GOOD_PASSWORD, client_id: client.id, ...changes },
})

describe('a sealed answer', () => {
  test("is a nested JWT for the client, with the status and the sealed body's jti", async () => {
    const jti = 'the id of this body'
    const { status, headers, claims, text } = await client.send({ ...login(), req: { jti } })
    expect([status, headers.get('content-type')]).toEqual([200, 'application/jose'])
    expect(headers.get('cache-control')).toBe('no-store')
    expect(claims).toEqual({
      iss: server.config.issuer,
      aud: client.id,
      iat: Math.floor(server.clock() / 1000),
      status: 200,
      req: jti,
      body: expect.objectContaining({ account: expect.objectContaining({ email }) }),
    })
    expect(decodeProtectedHeader(text)).toMatchObject({ kid: client.id, cty: 'JWT' })
    const jws = await client.client.open(text)
    const { kid } = server.keystore.signingKey
    expect(decodeProtectedHeader(jws)).toEqual({ alg: 'ES256', kid, typ: 'answer+jwt' })
  })

  test("has the bound token's jti if no body was sealed", async () => {
    const request = { method: 'GET', path: '/account', session }
    const answer = await client.send({ ...request, binding: { jti: 'bound' } })
    expect([answer.status, answer.claims?.req]).toEqual([200, 'bound'])
    expect(answer.claims?.body).toMatchObject({ database_key: session.databaseKey })
  })

  test("has the sealed body's jti if there are both", async () => {
    const answer = await client.send({
      method: 'PATCH',
      path: '/account',
      session,
      body: { name: 'Zoë' },
      req: { jti: 'sealed' },
      binding: { jti: 'bound' },
    })
    expect([answer.status, answer.claims?.req]).toEqual([200, 'sealed'])
  })

  test("is for the token's client, whatever the body says", async () => {
    const other = await TestClient.registered(server.url)
    const body = { name: 'Zoë', client_id: other.id }
    const answer = await client.send({ method: 'PATCH', path: '/account', session, body })
    expect(answer.claims?.aud).toBe(client.id)
  })

  test('is given for a plain body too, if the token is bound', async () => {
    const body = JSON.stringify({ name: 'Zoë' })
    const answer = await client.send({
      method: 'PATCH',
      path: '/account',
      session,
      binding: { jti: 'bound' },
      bytes: body,
      type: 'application/json',
    })
    expect([answer.status, answer.claims?.req]).toEqual([200, 'bound'])
  })

  test('is refused as a token', async () => {
    const { text } = await client.send(login())
    const jws = await client.client.open(text)
    const answer = await client.client.sendAs({ accessJws: jws }, 'GET', '/account')
    expect(answer.status).toBe(401)
    const refreshed = await client.client.send('POST', '/token', {
      grant_type: 'refresh_token',
      refresh_token: await client.client.seal(jws),
    })
    expect(refreshed.body.error).toBe('invalid_grant')
  })
})

describe('an error is sealed like any other answer:', () => {
  test('a wrong password', async () => {
    const answer = await client.send(login({ password: 'wrong' }))
    expect([answer.status, answer.claims?.status]).toEqual([401, 401])
    expect(answer.claims?.body.error).toBe('invalid_grant')
    expect(answer.text).not.toContain('invalid_grant')
  })

  test('an invalid member', async () => {
    const answer = await client.send(login({ email: 7 }))
    expect(answer.claims).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  })

  test('a refused body with a valid token', async () => {
    const request = { method: 'PATCH', path: '/account', session, body: { name: 'Zoë' } }
    const answer = await client.send({ ...request, req: { ath: '' }, binding: { jti: 'bound' } })
    expect(answer.claims).toMatchObject({
      status: 400,
      req: 'bound',
      body: { error: 'invalid_request' },
    })
  })

  test('a refusal of the handler', async () => {
    const answer = await client.send({ method: 'DELETE', path: '/missing', session })
    expect(answer.claims).toMatchObject({ status: 404, body: { error: 'not_found' } })
  })

  test('a fault of the server', async () => {
    const body = { client_id: client.id }
    const answer = await client.send({ method: 'POST', path: '/fault', body })
    expect(answer.claims).toMatchObject({ status: 500, body: { error: 'server_error' } })
    expect(server.logs.filter((line) => line.includes('a bug'))).toHaveLength(1)
  })
})

describe('an answer is plain', () => {
  test.each([
    ['application/json'],
    ['*/*'],
    ['application/*'],
    ['application/json, application/jose'],
    ['application/jose;q=0.5, application/json'],
    ['application/jose;q=0, */*'],
    ['text/html'],
  ])('if it is not accepted: %s', async (accept) => {
    const answer = await client.send({ ...login(), accept })
    expect([answer.status, answer.body.account.email]).toEqual([200, email])
  })

  test.each(['application/jose, application/json;q=0.9', 'APPLICATION/JOSE'])(
    'but sealed if it is accepted: %s',
    async (accept) => {
      expect((await client.send({ ...login(), accept })).claims?.status).toBe(200)
    },
  )

  test.each([[undefined], ['nobody'], [7]])('if the client is unknown: %j', async (client_id) => {
    const answer = await client.send(login({ client_id }))
    expect([answer.status, typeof answer.body.error]).toEqual([400, 'string'])
  })

  test('if it is not JSON', async () => {
    const text = await client.send({
      method: 'POST',
      path: '/text',
      body: { client_id: client.id },
    })
    expect(text.text).toBe('text')
    const bytes = await client.send({ method: 'GET', path: '/bytes', session })
    expect(bytes.text).toBe('bytes')
  })

  test('if it has no body', async () => {
    const answer = await client.send({ method: 'POST', path: '/account/logout', session })
    expect([answer.status, answer.text, answer.headers.get('content-type')]).toEqual([
      204,
      '',
      null,
    ])
  })

  test('if the token is refused, because the client is unknown then', async () => {
    const { accessJws } = session
    const answer = await client.send({
      method: 'GET',
      path: '/account',
      session: { accessJws: `${accessJws}x` },
    })
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_token'])
  })
})

describe('a sealed answer needs a sealed body or a bound token:', () => {
  const expectUntied = (answer: { status: number; body: unknown }) => {
    expect([answer.status, answer.body]).toEqual([
      400,
      {
        error: 'invalid_request',
        error_description: 'A sealed answer needs a sealed body or a bound token.',
      },
    ])
  }

  test('an unbound token alone is refused with 400', async () => {
    const answer = await client.send({ method: 'GET', path: '/account', session, binding: null })
    expectUntied(answer)
  })

  test('a public route without one is refused with 400, and nothing is done', async () => {
    const headers = { accept: 'application/jose' }
    for (const path of ['/healthz', '/.well-known/jwks.json']) {
      expectUntied(await client.client.send('GET', path, undefined, headers))
    }
    const body = { email: someEmail(), password: GOOD_PASSWORD, client_id: client.id }
    expectUntied(await client.client.send('POST', '/account', body, headers))
    expect((await client.client.send('POST', '/account', body)).status).toBe(201)
  })

  test("except for a client's configuration, which is always sealed", async () => {
    const path = `/clients/${client.id}/configuration`
    for (const accept of ['application/jose', '*/*']) {
      const { status, text } = await client.client.send('GET', path, undefined, { accept })
      expect(status).toBe(200)
      expect(JSON.parse(await client.client.open(text))).toMatchObject({ aud: client.id })
    }
    const unknown = await client.client.send('GET', '/clients/x/configuration', undefined, {
      accept: 'application/jose',
    })
    expect([unknown.status, unknown.body.error]).toEqual([404, 'not_found'])
  })
})
