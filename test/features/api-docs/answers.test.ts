/** Calls every route that the pages in docs/ name, and checks the answers against the API document. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createAccounts } from '../../../server/accounts/accounts.ts'
import { changeScope } from '../../../server/commands/account/change-scope.ts'
import { features } from '../../../server/features.ts'
import { fetchApiDocument, type ApiDocument } from '../../support/api-document.ts'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { UNLIMITED } from '../../support/config.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { isInDocs } from './pages.ts'
import { ALL_ON } from './variables.ts'

type Route = `${string} ${string}`

let server: TestServer
let api: ApiDocument
let client: TestClient
beforeAll(async () => {
  const variables = { ...ALL_ON, RATE_LIMIT_RESET: 'off' }
  server = await startTestServer({ features, variables, config: { rateLimits: UNLIMITED } })
  api = (await fetchApiDocument(server.url))!
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

interface Call {
  readonly body?: unknown
  readonly session?: TestSession
  readonly headers?: Record<string, string>
  /** Replaces the path's parameter. */
  readonly parameter?: string
}

/** Calls a route, checks the answer, and returns its status. */
async function call(route: Route, { body, session, headers, parameter = 'none' }: Call = {}) {
  const [method = '', path = ''] = route.split(' ')
  const token = session && (await client.seal(session.accessJws))
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const url = path.replace(/\{\w+\}/, parameter)
  const answer = await client.send(method, url, body, { ...authorization, ...headers })
  api.check(route, answer)
  return answer.status
}

const isDocumented = (route: Route) => api.routes.includes(route)

test('answers of public routes that only read match the document', async () => {
  const readable = api.routes.filter((route) => /^GET [^{]+$/.test(route)) as Route[]
  const open = readable.filter(isInDocs).filter((route) => {
    const [, path = ''] = route.split(' ')
    return api.document.paths[path]?.['get']?.security === undefined
  })
  expect(open.length).toBeGreaterThan(6)
  for (const route of open) expect([200, 404]).toContain(await call(route))
  expect(await call('GET /clients/{client_id}/configuration', { parameter: client.id })).toBe(200)
  expect(await call('GET /clients/{client_id}/configuration')).toBe(404)
})

test("answers to a client's registration match the document", async () => {
  const { publicJwk } = await TestClient.create(server.url)
  const body = { client_name: 'A name', jwks: { keys: [publicJwk] } }
  expect(await call('POST /clients', { body })).toBe(201)
  expect(await call('POST /clients', { body })).toBe(200)
  expect(await call('POST /clients', { body: { jwks: { keys: [] } } })).toBe(400)
  expect(await call('POST /clients', { body: '{' })).toBe(400)
  expect(await call('POST /clients', { body: 'x'.repeat(70_000) })).toBe(413)
  expect(await call('POST /clients', { body, headers: { 'content-type': 'text/plain' } })).toBe(415)
})

test('answers of the account routes match the document', async () => {
  const login = { email: someEmail(), password: GOOD_PASSWORD, client_id: client.id }
  expect(await call('POST /account', { body: { ...login, name: 'Ada' } })).toBe(201)
  expect(await call('POST /account', { body: login })).toBe(409)
  expect(await call('POST /account', { body: { ...login, client_id: 'none' } })).toBe(400)
  expect(await call('POST /account/login', { body: login })).toBe(200)
  expect(await call('POST /account/login', { body: { ...login, password: 'wrong' } })).toBe(401)

  const session = await client.login(login.email)
  expect(await call('GET /account', { session })).toBe(200)
  expect(await call('PATCH /account', { session, body: { name: 'Ada L.' } })).toBe(200)
  expect(await call('PATCH /account', { session, body: { name: '' } })).toBe(400)
  const new_password = 'another long and winding road'
  const change = { current_password: GOOD_PASSWORD, new_password }
  expect(await call('PUT /account/password', { session, body: change })).toBe(200)
  expect(await call('GET /account', { session })).toBe(401)

  const last = await client.login(login.email, new_password)
  expect(await call('PUT /account/password', { session: last, body: change })).toBe(400)
  expect(await call('DELETE /account', { session: last, body: { password: 'wrong' } })).toBe(400)
  expect(await call('DELETE /account', { session: last, body: { password: new_password } })).toBe(
    204,
  )
})

test('answers of the token routes match the document', async () => {
  const session = await client.signUp()
  const refresh_token = await client.seal(session.refreshJws)
  const body = { grant_type: 'refresh_token', refresh_token }
  expect(await call('POST /token', { body })).toBe(200)
  expect(await call('POST /token', { body: { ...body, refresh_token: 'none' } })).toBe(400)
  expect(await call('POST /token', { body: { grant_type: 'none' } })).toBe(400)
  expect(await call('POST /revoke', { body: { token: refresh_token } })).toBe(200)
  const other = await client.signUp()
  expect(await call('POST /account/logout', { session: other })).toBe(204)
})

test('a 429 matches the document', async () => {
  const rateLimits = { ...UNLIMITED, clients: { count: 1, duration: 60 } }
  const limited = await startTestServer({ features, config: { rateLimits } })
  const hasty = await TestClient.registered(limited.url)
  const answer = await hasty.send('POST', '/clients', {})
  await limited.stop()
  expect(answer.status).toBe(429)
  api.check('POST /clients', answer)
})

/** The routes of features. Each is missing from the document if its feature is removed. */
const OF_FEATURES: [Route, Call & { signedIn?: boolean }, number][] = [
  ['POST /account/password-reset', { body: { email: 'nobody@mail.test' } }, 202],
  ['PUT /account/password-reset', { body: { token: 'none', new_password: GOOD_PASSWORD } }, 400],
  ['GET /account/identities', { signedIn: true }, 200],
  ['POST /account/identities', { signedIn: true, body: { subject_token: 'none' } }, 400],
  ['DELETE /account/identities/{identity_id}', { signedIn: true }, 404],
  ['POST /account/license-token', { signedIn: true }, 200],
  ['POST /introspect', { body: { token: 'none' } }, 401],
  ['GET /admin/accounts', { signedIn: true }, 403],
]

test("answers of the features' routes match the document", async () => {
  const session = await client.signUp()
  for (const [route, { signedIn = false, ...rest }, status] of OF_FEATURES.filter(([route]) =>
    isDocumented(route),
  )) {
    expect([route, await call(route, signedIn ? { ...rest, session } : rest)]).toEqual([
      route,
      status,
    ])
  }
})

test("answers about one's own sessions match the document", async () => {
  const session = await client.signUp()
  const parameter = (await client.login(session.answer.body.account.email)).sessionId
  const route = 'DELETE /account/sessions/{session_id}'
  if (!isDocumented(route)) return
  expect(await call('GET /account/sessions', { session })).toBe(200)
  expect(await call(route, { session, parameter })).toBe(204)
  expect(await call(route, { session })).toBe(404)
  expect(await call('DELETE /account/sessions', { session })).toBe(204)
})

test('answers to an administrator match the document', async () => {
  const { account } = (await client.signUp()).answer.body
  const row = (await createAccounts(server.database, server.clock).findByEmail(account.email))!
  await changeScope(server.database, row, 'user admin')
  const session = await client.login(account.email)
  const route = 'DELETE /admin/accounts/{id}/sessions'
  if (!isDocumented(route)) return
  expect(await call('GET /admin/accounts', { session })).toBe(200)
  expect(await call(route, { session })).toBe(404)
  expect(await call(route, { session, parameter: account.id })).toBe(204)
})

test('every route that is in docs/ was called', () => {
  expect(api.checked.size).toBeGreaterThan(15)
  expect(api.routes.filter((route) => isInDocs(route) && !api.checked.has(route))).toEqual([])
})
