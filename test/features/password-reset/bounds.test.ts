import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals'
import { TestClient } from '../../support/client.ts'
import { startResetServer, type ResetServer } from './reset-server.ts'

/** The slowest text to normalize, of almost a whole body: marks in descending order of their class. */
const MARKS = '\u0315\u0300\u0334'.repeat(10_500)

let server: ResetServer
let client: TestClient
beforeAll(async () => {
  server = await startResetServer()
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

/** Calls the original. */
let normalize: jest.SpiedFunction<typeof String.prototype.normalize>
beforeEach(() => {
  normalize = jest.spyOn(String.prototype, 'normalize')
})
afterEach(() => {
  jest.restoreAllMocks()
})
const longest = () => Math.max(0, ...normalize.mock.contexts.map((text) => String(text).length))

test.each([
  ['email', 'POST', { email: MARKS }],
  ['new_password', 'PUT', { token: 'x', new_password: MARKS }],
])('a %s that is too long is refused before it is normalized', async (name, method, body) => {
  const answer = await client.send(method, '/account/password-reset', body)
  expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
  expect(answer.body.error_description).toMatch(new RegExp(`^${name} `))
  expect(longest()).toBeLessThanOrEqual(512)
})

test('a short address is normalized', async () => {
  await client.send('POST', '/account/password-reset', { email: 'a@b.test' })
  expect(longest()).toBe('a@b.test'.length)
})
