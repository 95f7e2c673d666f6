import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createHmac, generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { loadConfig } from '../../../server/config/config.ts'
import type { StartupError } from '../../../server/errors/startup-error.ts'
import { createLicenseToken, licenseToken } from '../../../server/features/license-token/index.ts'
import { createLogger, createVerifier } from '../../../server/resource-server/verifier.ts'
import { createTokenMaker } from '../../resource-server/token-maker.ts'
import { clientOf, errorOf, jsonResponse } from '../../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail, TestClient } from '../../support/client.ts'
import { logLines } from '../../support/log-lines.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { forgeMac } from '../../token/fixtures.ts'
import { firebase } from './firebase.ts'

const SECRET = 'a shared secret of thirty-two bytes or more'
const VARIABLES = {
  APP_ID: 'app-1',
  JWT_SHARED_SECRET_ID: 'secret-1',
  JWT_SHARED_SECRET: SECRET,
}
const PATH = '/account/license-token'

let server: TestServer
let client: TestClient
beforeAll(async () => {
  server = await startTestServer({ features: [licenseToken], variables: VARIABLES })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

/** Checks the MAC by hand and returns the claims. */
function claimsOf(jws: string) {
  const [header, payload, mac] = jws.split('.')
  expect(mac).toBe(createHmac('sha256', SECRET).update(`${header}.${payload}`).digest('base64url'))
  return decodeJwt(jws)
}

describe('the token', () => {
  test('comes with the sign-up, encrypted to the client, with the claims that Seald requires', async () => {
    const { answer } = await client.signUp()
    const { user_license_token: jwe, account } = answer.body
    expect(decodeProtectedHeader(jwe)).toMatchObject({ cty: 'JWT', kid: client.id })
    const jws = await client.open(jwe)
    expect(decodeProtectedHeader(jws)).toEqual({ alg: 'HS256', typ: 'JWT' })
    const now = Math.floor(server.clock() / 1000)
    expect(claimsOf(jws)).toEqual({
      iss: 'secret-1',
      jti: expect.stringMatching(/^[\w-]{20,}$/),
      iat: now,
      exp: now + 600,
      scopes: [3, 4],
      join_team: true,
      connector_add: { type: 'AP', value: `${account.id}@app-1` },
    })
  })

  test('is issued again to a signed-in person, with a new jti', async () => {
    const session = await client.signUp()
    server.clock.advance(60)
    const answer = await client.sendAs(session, 'POST', PATH)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(Object.keys(answer.body)).toEqual(['user_license_token'])
    const first = claimsOf(await client.open(session.answer.body.user_license_token))
    const fresh = claimsOf(await client.open(answer.body.user_license_token))
    expect(fresh.jti).not.toBe(first.jti)
    expect(fresh).toMatchObject({ iat: first.iat! + 60, connector_add: first['connector_add'] })
  })

  test('needs an access token', async () => {
    const answer = await client.send('POST', PATH)
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_token'])
  })

  test('is recorded in the audit log with its request', async () => {
    const session = await client.signUp()
    const id = session.answer.headers.get('x-request-id')!
    const answer = await client.sendAs(session, 'POST', PATH)
    for (const requestId of [id, answer.headers.get('x-request-id')!]) {
      expect(logLines(server, requestId)).toContainEqual(
        expect.objectContaining({
          audit: 'license_token_issued',
          account_id: session.answer.body.account.id,
          client_id: client.id,
        }),
      )
    }
  })

  test('is rate-limited for each account', async () => {
    const limited = await startTestServer({
      features: [licenseToken],
      variables: { ...VARIABLES, RATE_LIMIT_REFRESH: '2/1h' },
    })
    const ours = await TestClient.registered(limited.url)
    const [ada, bob] = [await ours.signUp(), await ours.signUp()]
    const statuses = []
    for (let i = 0; i < 3; i++) statuses.push((await ours.sendAs(ada, 'POST', PATH)).status)
    expect(statuses).toEqual([200, 200, 429])
    expect((await ours.sendAs(bob, 'POST', PATH)).status).toBe(200)
    await limited.stop()
  })
})

describe('a license token, or any token signed with its secret, is refused', () => {
  const URL_OF_SERVICE = 'https://notes.test'
  const NOBODY = { kid: 'secret-1', typ: 'at+jwt' }
  const logs: string[] = []
  let forged: readonly string[]
  beforeAll(async () => {
    const session = await client.signUp()
    const payload = JSON.parse(
      Buffer.from(session.accessJws.split('.')[1]!, 'base64url').toString(),
    )
    const { kid } = server.keystore.signingKey
    forged = [
      await client.open(session.answer.body.user_license_token),
      ...[NOBODY, { kid, typ: 'at+jwt' }, { kid, typ: 'rt+jwt' }].map((header) =>
        forgeMac({ alg: 'HS256', ...header }, payload, SECRET),
      ),
    ]
  })

  test('by the auth server', async () => {
    for (const jws of forged) {
      for (const token of [jws, await client.seal(jws)]) {
        const headers = { authorization: `Bearer ${token}` }
        const answer = await client.send('GET', '/account', undefined, headers)
        expect([answer.status, answer.body.error]).toEqual([401, 'invalid_token'])
        const refresh = { grant_type: 'refresh_token', refresh_token: token }
        expect((await client.send('POST', '/token', refresh)).body.error).toBe('invalid_grant')
      }
    }
  })

  test('by another service', async () => {
    const { issuer } = server.config
    const verifier = await createVerifier({
      issuer,
      url: URL_OF_SERVICE,
      clock: server.clock,
      logger: createLogger('trace', { write: (line) => void logs.push(line) }),
      fetch: (url, init) => fetch(url.replace(issuer, server.url), init),
    })
    const tokens = createTokenMaker({ clock: server.clock, server }, URL_OF_SERVICE, verifier.jwks)
    const ask = (token: string) => {
      const headers = ['Authorization', `Bearer ${token}`]
      return verifier.verify({ method: 'GET', url: '/notes', headers, body: undefined })
    }
    for (const jws of forged) {
      for (const token of [jws, await tokens.seal(jws)]) {
        expect((await ask(token)).refusal?.status).toBe(401)
      }
    }
    // The transport was right: a good token is accepted the same way.
    expect((await ask(await tokens.make())).claims?.sub).toBe('account-1')
  })

  test('by the client library', async () => {
    const library = clientOf(server).client
    const person = { email: someEmail(), password: GOOD_PASSWORD }
    await library.signUp(person)
    for (const jws of forged) {
      await expect(library.verify(jws)).rejects.toMatchObject({ code: 'token_invalid' })
    }
    const { client: deceived, wire: forging } = clientOf(server)
    for (const name of ['access_token', 'refresh_token']) {
      forging.on('POST /account', async (request, send) => {
        const { user_license_token: token, ...body } = (await (
          await send(request)
        ).json()) as Record<string, unknown>
        return jsonResponse({ ...body, [name]: token }, 201)
      })
      const error = await errorOf(deceived.signUp({ ...person, email: someEmail() }))
      expect([name, error.code]).toEqual([name, 'token_invalid'])
      expect(inspect(error, { depth: 9 })).not.toContain(SECRET)
    }
  })

  test('and neither the secret nor the claims are logged', () => {
    const all = [...server.logs, ...logs].join('')
    expect(all).toContain('access token refused')
    for (const secret of [SECRET, ...forged.map((jws) => jws.split('.')[1]!)]) {
      expect(all).not.toContain(secret)
    }
  })
})

test('no answer and no log line has the secret', async () => {
  const session = await client.signUp()
  const answers = [session.answer, await client.sendAs(session, 'POST', PATH)]
  const metadata = await client.send('GET', '/.well-known/oauth-authorization-server')
  expect(JSON.stringify([answers, metadata])).not.toContain(SECRET)
  const jws = await client.open(session.answer.body.user_license_token)
  expect(server.logs.join('')).not.toContain(SECRET)
  expect(server.logs.join('')).not.toContain(jws.split('.')[1])
})

test.each<Record<string, string>>([{}, { APP_ID: '', JWT_SHARED_SECRET: '' }])(
  'without its variables the feature is off: %j',
  async (variables) => {
    const bare = await startTestServer({ features: [licenseToken], variables })
    const ours = await TestClient.registered(bare.url)
    const session = await ours.signUp()
    expect(session.answer.body).not.toHaveProperty('user_license_token')
    expect((await ours.sendAs(session, 'POST', PATH)).status).toBe(404)
    await bare.stop()
  },
)

describe('the configuration', () => {
  const problemsOf = (changes: Record<string, string>) => {
    try {
      loadConfig([licenseToken], { ...VARIABLES, ...changes }, '/nonexistent/.env')
    } catch (error) {
      return (error as StartupError).problems
    }
    return []
  }

  test('is accepted if everything is set', () => {
    expect(problemsOf({})).toEqual([])
    // 32 bytes in 16 characters.
    expect(problemsOf({ JWT_SHARED_SECRET: 'é'.repeat(16) })).toEqual([])
  })

  test('is refused with a secret under 32 bytes, which is not quoted', () => {
    const [problem, ...others] = problemsOf({ JWT_SHARED_SECRET: 'x'.repeat(31) })
    expect(problem).toBe('JWT_SHARED_SECRET must have at least 32 bytes.')
    expect(others).toEqual([])
  })

  test.each([
    [{ APP_ID: '' }, 'APP_ID'],
    [
      { JWT_SHARED_SECRET_ID: '', JWT_SHARED_SECRET: '' },
      'JWT_SHARED_SECRET_ID and JWT_SHARED_SECRET',
    ],
  ])('is refused if a part is missing: %j', (changes, missing) => {
    expect(problemsOf(changes)).toEqual([
      `APP_ID, JWT_SHARED_SECRET_ID, JWT_SHARED_SECRET belong together: set ${missing} too, or remove the others.`,
    ])
  })
})

test('another vendor can issue the token: a Firebase custom token', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const email = 'firebase-adminsdk@project-1.iam.gserviceaccount.com'
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const other = await startTestServer({
    features: [createLicenseToken(firebase)],
    variables: { FIREBASE_CLIENT_EMAIL: email, FIREBASE_PRIVATE_KEY: pem.replaceAll('\n', '\\n') },
  })
  const ours = await TestClient.registered(other.url)
  const session = await ours.signUp()
  const { body } = await ours.sendAs(session, 'POST', PATH)
  for (const jwe of [session.answer.body.user_license_token, body.user_license_token]) {
    const { payload } = await jwtVerify(await ours.open(jwe), publicKey, {
      algorithms: ['RS256'],
      issuer: email,
      subject: email,
      audience:
        'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit',
      currentDate: new Date(other.clock()),
    })
    expect(payload).toMatchObject({
      uid: session.answer.body.account.id,
      claims: { plan: 'free' },
      exp: payload.iat! + 3600,
    })
  }
  await other.stop()
})
