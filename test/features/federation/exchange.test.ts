import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createHmac } from 'node:crypto'
import { decodeJwt } from 'jose'
import { createClock } from '../../support/clock.ts'
import { GOOD_PASSWORD, someEmail, TestClient } from '../../support/client.ts'
import { logLines } from '../../support/log-lines.ts'
import type { TestServer } from '../../support/server.ts'
import {
  AUDIENCE,
  EXCHANGE,
  exchange,
  exchanged,
  ID_TOKEN,
  makeKey,
  Provider,
  REFUSED,
  sign,
  startFederated,
} from './provider.ts'

const clock = createClock()
let server: TestServer
let client: TestClient
/** `provider` binds its ID tokens to a client. `firebase` does not, and publishes certificates. */
let provider: Provider
let firebase: Provider
beforeAll(async () => {
  provider = await Provider.start(clock, [makeKey('ES256'), makeKey('RS256')])
  firebase = await Provider.start(clock, [makeKey('RS256')])
  const { issuer } = firebase
  ;({ server, client } = await startFederated(clock, [
    provider.entry({ audiences: [AUDIENCE, 'our-other-app'] }),
    {
      issuer,
      audiences: [AUDIENCE],
      x509_uri: `${issuer}/certificates`,
      algorithms: ['RS256'],
      sign_up: true,
      nonce: 'any',
    },
  ]))
})
afterAll(async () => {
  await Promise.all([server.stop(), provider.stop(), firebase.stop()])
})

let people = 0
const someone = () => ({ sub: `someone-${++people}`, email: someEmail() })
const isAlive = async (session: { accessJws: string }) =>
  (await client.sendAs(session, 'GET', '/account')).status === 200

describe('an ID token', () => {
  test('gives a complete session of a new account', async () => {
    const person = { ...someone(), name: 'Ada' }
    const session = await exchanged(client, await provider.idToken(client.id, person))
    const { body, headers } = session.answer
    expect(headers.get('cache-control')).toBe('no-store')
    expect(Object.keys(body).sort()).toEqual([
      'access_token',
      'account',
      'database_key',
      'expires_in',
      'issued_token_type',
      'refresh_token',
      'session_id',
      'token_type',
    ])
    expect(body).toMatchObject({
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      account: { email: person.email, name: 'Ada', scope: 'user' },
    })
    expect(decodeJwt(session.accessJws)).toMatchObject({
      iss: server.config.issuer,
      sub: body.account.id,
      client_id: client.id,
    })
    expect(await isAlive(session)).toBe(true)
    const lines = logLines(server, headers.get('x-request-id')!).map((line) => line.msg)
    expect(lines).toEqual(expect.arrayContaining(['account_created', 'token_exchanged']))
  })

  test('gives the same account again, even with another address, and from a form', async () => {
    const person = someone()
    const first = await exchanged(client, await provider.idToken(client.id, person))
    const later = { ...person, email: someEmail() }
    const answer = await client.send(
      'POST',
      '/token',
      new URLSearchParams({
        grant_type: EXCHANGE,
        subject_token_type: ID_TOKEN,
        client_id: client.id,
        subject_token: await provider.idToken(client.id, later),
      }).toString(),
      { 'content-type': 'application/x-www-form-urlencoded' },
    )
    expect(answer.status).toBe(200)
    expect(answer.body.account).toEqual(first.answer.body.account)
    expect(await isAlive(first)).toBe(true)
  })

  test('gives two accounts for one sub at two issuers', async () => {
    const { sub } = someone()
    const one = await provider.idToken(client.id, { sub, email: someEmail() })
    const other = await firebase.idToken(client.id, { sub, email: someEmail() })
    const ids = [await exchanged(client, one), await exchanged(client, other)].map(
      ({ answer }) => answer.body.account.id as string,
    )
    expect(new Set(ids).size).toBe(2)
  })

  test.each<[string, object, object]>([
    [
      'with several of our audiences and an azp',
      { aud: [AUDIENCE, 'our-other-app'], azp: AUDIENCE },
      {},
    ],
    ['with one audience and another azp', { aud: [AUDIENCE], azp: 'our-android-app' }, {}],
    ['without a typ', {}, { typ: undefined }],
    ['with an unknown header parameter', {}, { x5t: 'thumbprint' }],
    ['with a line break in its name', { name: 'Ada\nLovelace' }, {}],
    [
      'with nbf, and from a clock slightly ahead',
      { nbf: 1, iat: Math.floor(clock() / 1000) + 5 },
      {},
    ],
  ])('%s is accepted', async (_, changes, header) => {
    const token = await provider.idToken(client.id, { ...someone(), ...changes }, header)
    expect((await exchange(client, token)).status).toBe(200)
  })

  test('is accepted with each key and algorithm of the issuer', async () => {
    for (const key of provider.keys) {
      const token = await sign(provider.claims(client.id, someone()), key)
      expect((await exchange(client, token)).status).toBe(200)
    }
  })

  test('is accepted without a nonce if the issuer allows that, up to ten minutes after iat', async () => {
    const now = Math.floor(clock() / 1000)
    const token = (iat: number) =>
      firebase.idToken('nobody', { ...someone(), nonce: undefined, iat })
    expect((await exchange(client, await token(now - 600))).status).toBe(200)
    expect((await exchange(client, await token(now - 601))).body).toEqual(REFUSED)
  })
})

describe('an ID token is refused in the one wording, with the reason in the log:', () => {
  const now = () => Math.floor(clock() / 1000)
  const changed = (changes: object, header?: object) => () =>
    provider.idToken(client.id, { ...someone(), ...changes }, header)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

  test.each<[string, string, () => Promise<string> | string]>([
    ['another iss', 'iss', changed({ iss: 'https://other.test' })],
    ['no iss', 'iss', changed({ iss: undefined })],
    ['iss as a list', 'iss', () => changed({ iss: [provider.issuer] })()],
    ['iss as an object', 'iss', changed({ iss: { toString: 1, valueOf: 1 } })],
    ['iss with a trailing slash', 'iss', () => changed({ iss: `${provider.issuer}/` })()],
    ['another aud', 'aud', changed({ aud: 'other-app' })],
    ['no aud', 'claims', changed({ aud: undefined })],
    ['an empty aud', 'claims', changed({ aud: [] })],
    ['an unknown aud beside ours', 'aud', changed({ aud: [AUDIENCE, 'x'], azp: AUDIENCE })],
    ['several aud without azp', 'azp', changed({ aud: [AUDIENCE, 'our-other-app'] })],
    ['several aud, another azp', 'azp', changed({ aud: [AUDIENCE, 'our-other-app'], azp: 'x' })],
    ['exp now', 'exp', changed({ exp: now() })],
    ['no exp', 'claims', changed({ exp: undefined })],
    ['exp as a string', 'claims', changed({ exp: String(now() + 60) })],
    ['exp out of range', 'claims', changed({ exp: 1e300 })],
    ['iat in the future', 'iat', changed({ iat: now() + 6 })],
    ['no iat', 'claims', changed({ iat: undefined })],
    ['nbf in the future', 'nbf', changed({ nbf: now() + 6 })],
    ['no sub', 'claims', changed({ sub: undefined })],
    ['an empty sub', 'claims', changed({ sub: '' })],
    ['a sub that is too long', 'claims', changed({ sub: 'x'.repeat(256) })],
    ['another nonce', 'nonce', changed({ nonce: 'other' })],
    ['no nonce', 'nonce', changed({ nonce: undefined })],
    ['no kid', 'header', changed({}, { kid: undefined })],
    ['an unknown kid', 'kid', changed({}, { kid: 'unknown' })],
    ['the kid of another key', 'alg', () => changed({}, { kid: provider.keys[1]!.kid })()],
    ['typ at+jwt', 'typ', changed({}, { typ: 'at+jwt' })],
    ['jku', 'header_parameter', changed({}, { jku: 'https://evil.test' })],
    ['jwk', 'header_parameter', changed({}, { jwk: {} })],
    ['no e-mail address', 'email', changed({ email: undefined })],
    ['an invalid e-mail address', 'email', changed({ email: 'nobody' })],
    ['claims that are not an object', 'claims', () => sign('[]', provider.keys[0]!)],
    [
      'a signature by another key',
      'signature',
      async () => {
        const { kid } = provider.keys[0]!
        return sign(provider.claims(client.id, someone()), { ...makeKey(), kid })
      },
    ],
    [
      'changed claims',
      'signature',
      async () => {
        const token = await provider.idToken(client.id, someone())
        const [header, , signature] = token.split('.')
        return `${header}.${part(provider.claims(client.id, someone()))}.${signature}`
      },
    ],
    [
      'alg none',
      'alg',
      () => {
        const header = part({ alg: 'none', kid: provider.keys[0]!.kid })
        return `${header}.${part(provider.claims(client.id, someone()))}.`
      },
    ],
    [
      'HS256 with the public key as the secret',
      'alg',
      () => {
        const { kid, publicKey } = provider.keys[1]!
        const input = `${part({ alg: 'HS256', kid })}.${part(provider.claims(client.id, someone()))}`
        const pem = publicKey.export({ type: 'spki', format: 'pem' })
        return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`
      },
    ],
    [
      'an algorithm that the issuer does not use',
      'alg',
      async () =>
        sign(firebase.claims(client.id, someone()), makeKey('ES256', firebase.keys[0]!.kid)),
    ],
    [
      'the claims of one issuer signed by another',
      'kid',
      async () => sign(provider.claims(client.id, someone()), firebase.keys[0]!),
    ],
    ['our own access token', 'typ', async () => (await client.signUp()).accessJws],
    ['garbage', 'form', () => 'garbage'],
    ['a JWE', 'form', () => 'a.b.c.d.e'],
    ['an empty string', 'form', () => ''],
    ['over 8 KiB', 'form', changed({ padding: 'x'.repeat(8192) })],
    ['a trailing space', 'form', async () => `${await changed({})()} `],
    ['padding', 'form', async () => (await changed({})()).replace('.', '=.')],
  ])('%s', async (_, reason, token) => {
    const answer = await exchange(client, await token())
    expect([answer.status, answer.body]).toEqual([400, REFUSED])
    const lines = logLines(server, answer.headers.get('x-request-id')!)
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'ID token refused', reason }))
    expect(lines.map(({ msg }) => msg)).toContain('exchange_refused')
  })

  test('a token of one client, presented by another', async () => {
    const thief = await TestClient.registered(server.url)
    const token = await provider.idToken(client.id, someone())
    expect((await exchange(thief, token)).body).toEqual(REFUSED)
    expect((await exchange(client, token)).status).toBe(200)
  })

  test('a second use, even with the other spelling of its signature', async () => {
    const token = await provider.idToken(client.id, someone())
    expect((await exchange(client, token)).status).toBe(200)
    const [header, payload, signature = ''] = token.split('.')
    // ECDSA: (r, n - s) is valid whenever (r, s) is.
    const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const bytes = Buffer.from(signature, 'base64url')
    const s = n - BigInt(`0x${bytes.toString('hex', 32)}`)
    bytes.write(s.toString(16).padStart(64, '0'), 32, 'hex')
    const twin = `${header}.${payload}.${bytes.toString('base64url')}`
    for (const again of [token, twin]) {
      expect((await exchange(client, again)).body).toEqual(REFUSED)
    }
  })

  test('nine of ten simultaneous uses', async () => {
    const token = await provider.idToken(client.id, someone())
    const answers = await Promise.all(Array.from({ length: 10 }, () => exchange(client, token)))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 400)).toHaveLength(9)
  })
})

describe('an exchange request', () => {
  test.each<[object, string, RegExp]>([
    [{ client_id: 'unknown' }, 'invalid_client', /^client_id /],
    [{ client_id: undefined }, 'invalid_request', /^client_id /],
    [{ subject_token: undefined }, 'invalid_request', /^subject_token /],
    [{ subject_token_type: undefined }, 'invalid_request', /^subject_token_type /],
    [{ subject_token_type: 'jwt' }, 'invalid_request', /^subject_token_type /],
    [{ requested_token_type: ID_TOKEN }, 'invalid_request', /^requested_token_type /],
    [{ actor_token: 'x' }, 'invalid_request', /^actor_token /],
    [{ audience: 'other' }, 'invalid_target', /^Tokens /],
    [{ resource: 'https://other.test' }, 'invalid_target', /^Tokens /],
  ])('with %j is refused with %s', async (changes, code, message) => {
    const token = await provider.idToken(client.id, someone())
    const answer = await exchange(client, token, changes)
    expect([answer.status, answer.body.error]).toEqual([400, code])
    expect(answer.body.error_description).toMatch(message)
    expect((await exchange(client, token)).status).toBe(200)
  })

  test("with a scope is answered with the account's own scope", async () => {
    const token = await provider.idToken(client.id, someone())
    const answer = await exchange(client, token, { scope: 'admin', audience: server.config.issuer })
    expect([answer.status, answer.body.scope]).toEqual([200, 'user'])
  })
})

test('an account without a password answers a sign-in like an unknown address', async () => {
  const person = someone()
  await exchanged(client, await provider.idToken(client.id, person))
  const login = (email: string) =>
    client.send('POST', '/account/login', { email, password: GOOD_PASSWORD, client_id: client.id })
  const [known, unknown] = [await login(person.email), await login(someEmail())]
  expect([known.status, known.text]).toEqual([401, unknown.text])
})

test('only new people count as sign-ups from their network address', async () => {
  const limited = await startFederated(clock, [provider.entry()], [], {
    RATE_LIMIT_SIGN_UP: '2/1h',
  })
  const ours = limited.client
  const known = someone()
  const statuses = []
  for (const person of [known, someone(), someone(), known]) {
    statuses.push((await exchange(ours, await provider.idToken(ours.id, person))).status)
  }
  expect(statuses).toEqual([200, 200, 429, 200])
  await limited.server.stop()
})

test('the metadata lists the grant', async () => {
  const { body } = await client.send('GET', '/.well-known/oauth-authorization-server')
  expect(body.grant_types_supported).toEqual(['refresh_token', EXCHANGE])
})

// The memory of used tokens forgets it then.
test('an ID token is refused from the moment of its exp, even within a second', async () => {
  const exp = clock() / 1000 + 0.5
  const token = await provider.idToken(client.id, { ...someone(), exp })
  clock.advance(0.75)
  expect((await exchange(client, token)).body).toEqual(REFUSED)
  clock.advance(0.25)
})
