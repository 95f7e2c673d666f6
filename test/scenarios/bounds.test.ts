import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** The slowest text to normalize, of almost a whole body: marks in descending order of their class. */
const MARKS = '\u0315\u0300\u0334'.repeat(10_500)

let server: TestServer
let client: TestClient
let session: TestSession
/** Calls the original. */
let normalize: jest.SpiedFunction<typeof String.prototype.normalize>

beforeAll(async () => {
  server = await startTestServer()
  client = await TestClient.registered(server.url)
  session = await client.signUp()
})
afterAll(() => server.stop())

beforeEach(() => {
  normalize = jest.spyOn(String.prototype, 'normalize')
})
afterEach(() => {
  jest.restoreAllMocks()
})

const send = (signedIn: boolean, method: string, path: string, body: unknown) =>
  signedIn ? client.sendAs(session, method, path, body) : client.send(method, path, body)

/** The length of the longest normalized text of a test. */
const longest = () => Math.max(0, ...normalize.mock.contexts.map((text) => String(text).length))

const person = () => ({ email: someEmail(), password: GOOD_PASSWORD, client_id: client.id })
const passwords = { current_password: GOOD_PASSWORD, new_password: 'another brick in the wall' }

test.each<[string, string, string, boolean, () => object]>([
  ['password', 'POST', '/account', false, person],
  ['email', 'POST', '/account', false, person],
  ['name', 'POST', '/account', false, person],
  ['password', 'POST', '/account/login', false, person],
  ['email', 'POST', '/account/login', false, person],
  ['name', 'PATCH', '/account', true, () => ({})],
  ['password', 'DELETE', '/account', true, () => ({})],
  ['current_password', 'PUT', '/account/password', true, () => passwords],
  ['new_password', 'PUT', '/account/password', true, () => passwords],
  ['scope', 'POST', '/token', false, () => ({ grant_type: 'refresh_token', refresh_token: 'x' })],
  ['grant_type', 'POST', '/token', false, () => ({})],
  ['client_name', 'POST', '/clients', false, () => ({ jwks: { keys: [client.publicJwk] } })],
])(
  'a %s that is too long is refused before it is normalized: %s %s, signed in: %s',
  async (name, method, path, signedIn, members) => {
    const answer = await send(signedIn, method, path, { ...members(), [name]: MARKS })
    expect(answer.status).toBe(400)
    expect(answer.body.error).toBe(
      name === 'client_name' ? 'invalid_client_metadata' : 'invalid_request',
    )
    expect(answer.body.error_description).toMatch(new RegExp(`^${name} `))
    expect(longest()).toBeLessThanOrEqual(512)
  },
)

test.each<[string, string, boolean, (password: string) => object]>([
  ['POST', '/account/login', false, (password) => ({ ...person(), password })],
  ['DELETE', '/account', true, (password) => ({ password })],
  ['PUT', '/account/password', true, (current_password) => ({ ...passwords, current_password })],
])('%s %s checks a password of 512 code units, and refuses one of 513', async (...request) => {
  const [method, path, signedIn, bodyOf] = request
  const tryWith = (length: number) => send(signedIn, method, path, bodyOf('x'.repeat(length)))
  expect((await tryWith(512)).body.error).toBe('invalid_grant')
  expect((await tryWith(513)).body.error).toBe('invalid_request')
})

test('a text that is short enough is normalized', async () => {
  await client.send('POST', '/account/login', { ...person(), password: '\u0300'.repeat(512) })
  expect(longest()).toBe(512)
})
