import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { CompactSign, decodeJwt } from 'jose'
import type { KeyPair } from '../../server/keystore/key-pair.ts'
import { GOOD_PASSWORD, TestClient, type Answer, type TestSession } from '../support/client.ts'
import { rawRequest } from '../support/raw-request.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const REALM = 'Bearer realm="jwe-auth-server"'

let server: TestServer
let client: TestClient
let session: TestSession
/** Another client of the same server, and somebody signed in with it. */
let otherClient: TestClient
let otherSession: TestSession
/** Another server, with keys of its own. */
let foreign: TestServer
let foreignClient: TestClient
let foreignSession: TestSession

beforeAll(async () => {
  server = await startTestServer()
  client = await TestClient.registered(server.url)
  session = await client.signUp()
  otherClient = await TestClient.registered(server.url)
  otherSession = await otherClient.signUp()
  foreign = await startTestServer()
  foreignClient = await TestClient.registered(foreign.url)
  foreignSession = await foreignClient.signUp()
})
afterAll(async () => {
  await server.stop()
  await foreign.stop()
})

const now = () => Math.floor(server.clock() / 1000)

/** A token of `session` with other claims, or signed in another way. */
function mint(
  changes: Record<string, unknown> = {},
  key: KeyPair = server.keystore.signingKey,
  header: Record<string, unknown> = {},
): Promise<string> {
  const claims = { ...decodeJwt(session.accessJws), ...changes }
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header })
    .sign(key.privateKey)
}

const unsigned = (header: object) =>
  [JSON.stringify(header), JSON.stringify(decodeJwt(session.accessJws))]
    .map((text) => Buffer.from(text).toString('base64url'))
    .join('.')

const ask = (token: string) =>
  client.send('GET', '/account', undefined, { authorization: `Bearer ${token}` })

/** What a client can see of an answer, except its date and request id. */
const visible = ({ status, headers, text }: Answer) => ({
  status,
  text,
  headers: [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name)),
})

test('a token minted by this test without changes is accepted', async () => {
  expect((await ask(await client.seal(await mint()))).status).toBe(200)
})

test('a token without a kid in its JWE header is decrypted with the current key', async () => {
  const token = await client.seal(session.accessJws, { kid: undefined })
  expect((await ask(token)).status).toBe(200)
})

describe('every refused token gives the same answer', () => {
  const flipped = (token: string) =>
    token.slice(0, -5) + (token.at(-5) === 'A' ? 'B' : 'A') + token.slice(-4)

  test.each<[string, () => string | Promise<string>]>([
    ['a bare JWS', () => session.accessJws],
    ['a JWE that is for the client', () => session.answer.body.access_token as string],
    ['five empty segments', () => '....'],
    ['five segments of garbage', () => 'eyJh.eyJh.eyJh.eyJh.eyJh'],
    ['a second word after it', async () => `${await client.seal(session.accessJws)} again`],
    ['padding at its end', async () => `${await client.seal(session.accessJws)}=`],
    ['a comma after it', async () => `${await client.seal(session.accessJws)},`],
    ['one flipped character', async () => flipped(await client.seal(session.accessJws))],
    ['over 8 KiB', () => 'x'.repeat(8 * 1024 + 1)],
    [
      'over 8 KiB and otherwise good',
      () => client.seal(session.accessJws, { padding: 'x'.repeat(8 * 1024) }),
    ],
    ['nearly as long as headers may be', () => 'x'.repeat(60 * 1024)],
    ['sealed to another key', () => foreignClient.seal(session.accessJws)],
    [
      'sealed to another key under our kid',
      () => foreignClient.seal(session.accessJws, { kid: server.keystore.encryptionKey.kid }),
    ],
    ['without a cty', () => client.seal(session.accessJws, { cty: undefined })],
    ['with another cty', () => client.seal(session.accessJws, { cty: 'json' })],
    ['with another alg', () => client.seal(session.accessJws, { alg: 'ECDH-ES+A256KW' })],
    ['with another enc', () => client.seal(session.accessJws, { enc: 'A256GCM' })],
    ['with a jku', () => client.seal(session.accessJws, { jku: 'https://evil.test/jwks' })],
    ['that holds no JWS', () => client.seal('{"sub":"me"}')],
    ['that holds another JWE', async () => client.seal(await client.seal(session.accessJws))],
    ['of another server', () => foreignClient.seal(foreignSession.accessJws)],
    ['of another server, sealed to this one', () => client.seal(foreignSession.accessJws)],
    ['signed by another key', async () => client.seal(await mint({}, foreign.keystore.signingKey))],
    [
      'signed by another key under our kid',
      async () =>
        client.seal(
          await mint({}, foreign.keystore.signingKey, { kid: server.keystore.signingKey.kid }),
        ),
    ],
    ['that is not signed', () => client.seal(`${unsigned({ alg: 'none', typ: 'at+jwt' })}.`)],
    ['with another typ', async () => client.seal(await mint({}, undefined, { typ: 'JWT' }))],
    ['a refresh token', () => client.seal(session.refreshJws)],
    ['of a future generation', async () => client.seal(await mint({ gen: 1 }))],
    ['of the generation 0, which no token names', async () => client.seal(await mint({ gen: 0 }))],
    [
      'of an earlier generation',
      async () => {
        const own = await client.signUp()
        await server.database
          .updateTable('sessions')
          .set({ generation: 1 })
          .where('id', '=', own.sessionId)
          .execute()
        return client.seal(own.accessJws)
      },
    ],
    ['of another issuer', async () => client.seal(await mint({ iss: 'https://other.test' }))],
    ['of another audience', async () => client.seal(await mint({ aud: otherClient.id }))],
    [
      'of another client',
      async () => client.seal(await mint({ aud: otherClient.id, client_id: otherClient.id })),
    ],
    [
      'of another account',
      async () => client.seal(await mint({ sub: otherSession.answer.body.account.id })),
    ],
    ['of another session', async () => client.seal(await mint({ sid: otherSession.sessionId }))],
    ['of no session', async () => client.seal(await mint({ sid: 'no-such-session' }))],
    ['without an exp', async () => client.seal(await mint({ exp: undefined }))],
    ['signed in the future', async () => client.seal(await mint({ iat: now() + 60 }))],
    ['with an unknown claim', async () => client.seal(await mint({ admin: true }))],
    [
      'that has expired and is of another issuer',
      async () => client.seal(await mint({ exp: now() - 1, iss: 'https://other.test' })),
    ],
    [
      'that has expired and is signed by another key',
      async () => client.seal(await mint({ exp: now() - 1 }, foreign.keystore.signingKey)),
    ],
    [
      'of a session that was ended',
      async () => {
        const ended = await client.signUp()
        await client.sendAs(ended, 'POST', '/account/logout')
        return client.seal(ended.accessJws)
      },
    ],
    [
      'of an account that was deleted',
      async () => {
        const deleted = await client.signUp()
        await client.sendAs(deleted, 'DELETE', '/account', { password: GOOD_PASSWORD })
        return client.seal(deleted.accessJws)
      },
    ],
  ])('%s', async (_, token) => {
    const reference = await ask('garbage')
    expect(reference.status).toBe(401)
    expect(reference.body).toEqual({
      error: 'invalid_token',
      error_description: 'The access token is not valid.',
    })
    expect(reference.headers.get('www-authenticate')).toBe(
      `${REALM}, error="invalid_token", error_description="The access token is not valid."`,
    )
    expect(reference.headers.get('cache-control')).toBe('no-store')
    expect(visible(await ask(await token()))).toEqual(visible(reference))
  })

  test('of a server of another issuer with the same keys and database', async () => {
    const { keystore, database, clock } = server
    const config = { issuer: 'https://other.test' }
    const sister = await startTestServer({ keystore, database, clock, config })
    try {
      const { accessJws } = await (await TestClient.registered(sister.url)).signUp()
      expect(visible(await ask(await client.seal(accessJws)))).toEqual(
        visible(await ask('garbage')),
      )
    } finally {
      await sister.stop()
    }
  })
})

test('only an expired token is answered as expired, from the second of its exp', async () => {
  const own = await startTestServer()
  try {
    const person = await TestClient.registered(own.url)
    const signedIn = await person.signUp()
    own.clock.advance(899)
    expect((await person.sendAs(signedIn, 'GET', '/account')).status).toBe(200)
    own.clock.advance(1)
    const answer = await person.sendAs(signedIn, 'GET', '/account')
    expect(answer.status).toBe(401)
    expect(answer.body).toEqual({
      error: 'invalid_token',
      error_description: 'The access token has expired.',
    })
    expect(answer.headers.get('www-authenticate')).toBe(
      `${REALM}, error="invalid_token", error_description="The access token has expired."`,
    )
  } finally {
    await own.stop()
  }
})

test.each([
  ['GET', '/account'],
  ['HEAD', '/account'],
  ['PATCH', '/account'],
  ['DELETE', '/account'],
  ['POST', '/account/logout'],
])(
  '%s %s without a token is answered with a challenge that names no error',
  async (method, path) => {
    const answer = await client.send(method, path)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe(REALM)
    expect(answer.headers.get('cache-control')).toBe('no-store')
  },
)

test.each(['', 'Bearer', 'Bearer ', 'Basic dTpw', 'token', 'BearerX'])(
  'the Authorization header "%s" counts as no token',
  async (authorization) => {
    const answer = await client.send('GET', '/account', undefined, { authorization })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe(REALM)
  },
)

test.each(['Bearer', 'bearer', 'BEARER', 'bEaReR '])('the scheme may be "%s"', async (scheme) => {
  const authorization = `${scheme} ${await client.seal(session.accessJws)}`
  expect((await client.send('GET', '/account', undefined, { authorization })).status).toBe(200)
})

describe('a token in more than one place', () => {
  test.each<[string, (good: string) => [string, string][]]>([
    [
      'the good one twice',
      (good) => [
        ['Authorization', good],
        ['Authorization', good],
      ],
    ],
    [
      'another scheme first',
      (good) => [
        ['Authorization', 'Basic dTpw'],
        ['authorization', good],
      ],
    ],
    [
      'another scheme last',
      (good) => [
        ['AUTHORIZATION', good],
        ['Authorization', 'Basic dTpw'],
      ],
    ],
    [
      'both of them bad',
      () => [
        ['Authorization', 'Bearer x'],
        ['Authorization', 'Bearer y'],
      ],
    ],
  ])('two Authorization headers, %s, are a bad request', async (_, headers) => {
    const good = `Bearer ${await client.seal(session.accessJws)}`
    const answer = await rawRequest(server.url, '/account', { headers: headers(good) })
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
  })

  // By itself, Node keeps the first 2,000 headers.
  test.each([50, 1998, 3000])(
    'a second Authorization header after %i others is refused',
    async (count) => {
      const good = `Bearer ${await client.seal(session.accessJws)}`
      const answer = await rawRequest(server.url, '/account', {
        headers: [
          ['Authorization', good],
          ...Array.from({ length: count }, (_, i) => [`X-${i}`, 'x'] as const),
          ['Authorization', good],
        ],
      })
      expect([answer.status, answer.body.error]).toEqual([
        count === 50 ? 400 : 431,
        'invalid_request',
      ])
    },
  )

  test.each(['/account?access_token=x', 'http://elsewhere.test/account?access_token=x'])(
    'in the header and in the query of %s is a bad request, whatever the Host',
    async (path) => {
      const authorization = `Bearer ${await client.seal(session.accessJws)}`
      for (const host of ['test', 'test:1', 'a?access_token=x']) {
        const answer = await rawRequest(server.url, path, {
          headers: [
            ['Host', host],
            ['Authorization', authorization],
          ],
        })
        expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
      }
    },
  )

  test.each(['?Access_Token=x', '?access_token[]=x', '?a=access_token', '?x=&=access_token'])(
    'is not found in the query %s',
    async (query) => {
      const answer = await rawRequest(server.url, `/account${query}`, {
        headers: [['Authorization', `Bearer ${await client.seal(session.accessJws)}`]],
      })
      expect(answer.status).toBe(200)
    },
  )

  test.each([
    ['the query', '?access_token=x', undefined, ''],
    ['the query, without a value', '?access_token', undefined, ''],
    ['the query, twice', '?access_token=x&access_token=y', undefined, ''],
    ['the query, beside a malformed escape', '?a=%E0%A4%A&access_token=x', undefined, ''],
    ['the query, escaped', '?a=1&access%5Ftoken=', undefined, ''],
    ['a JSON body', '', 'application/json', '{"access_token":"x"}'],
    ['a JSON body, not as a string', '', 'application/json', '{"access_token":null}'],
    ['a form', '', 'application/x-www-form-urlencoded', 'a=1&access_token=x'],
    ['a form, twice', '', 'application/x-www-form-urlencoded', 'access_token=x&access_token=y'],
  ])('in the header and in %s is a bad request', async (_, query, type, body) => {
    const { accessJws } = await client.login(session.answer.body.account.email)
    const answer = await rawRequest(server.url, `/account/logout${query}`, {
      method: 'POST',
      headers: [
        ['Authorization', `Bearer ${await client.seal(accessJws)}`],
        ...(type === undefined ? [] : [['Content-Type', type] as const]),
      ],
      body,
    })
    expect([answer.status, answer.body?.error]).toEqual([400, 'invalid_request'])
    expect((await client.sendAs({ accessJws }, 'GET', '/account')).status).toBe(200)
  })
})

test.each([
  ['the query', (token: string) => [`?access_token=${token}`, 'application/json', '']],
  ['a JSON body', (token: string) => ['', 'application/json', `{"access_token":"${token}"}`]],
  ['a form', (token: string) => ['', 'application/x-www-form-urlencoded', `access_token=${token}`]],
])('a token in %s alone is never read', async (_, place) => {
  const [query = '', type = '', body = ''] = place(await client.seal(session.accessJws))
  const answer = await rawRequest(server.url, `/account/logout${query}`, {
    method: 'POST',
    headers: [['Content-Type', type]],
    body,
  })
  expect(answer.status).toBe(401)
  expect(answer.headers.get('www-authenticate')).toBe(REALM)
})

test.each(['[', 'a b', 'host:99999'])(
  'the Host header "%s" is not answered with a 5xx',
  async (host) => {
    const answer = await rawRequest(server.url, '/account', {
      headers: [
        ['Host', host],
        ['Authorization', 'Bearer x'],
      ],
    })
    expect(answer.status).toBeLessThan(500)
  },
)
