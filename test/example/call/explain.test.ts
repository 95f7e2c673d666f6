import { expect, test } from '@jest/globals'
import { AuthError } from '../../../client/index.ts'
import { explainError } from '../../../example/call/explain.ts'

const explained = (...error: ConstructorParameters<typeof AuthError>) =>
  explainError((_style, text) => text, new AuthError(...error))

test('shows the advice for a code below the message', () => {
  expect(explained('session_ended', 'The session has ended.')).toBe(
    '✗ The session has ended.\n  Sign in again: npm run call -- sign-in <email>\n',
  )
  expect(explained('bad_answer', 'No.')).toBe('✗ No.\n')
})

test('shows the status of a server error', () => {
  const refusal = { status: 429, retryAfter: 30, requestId: 'abc' }
  expect(explained('rate_limited', 'Too many.', refusal)).toBe(
    '✗ 429 Too Many Requests: Too many.\n  Try again in 30 s.\n  X-Request-Id: abc\n',
  )
})

test('suggests starting the server only if nothing answered', () => {
  expect(explained('network', 'http://a.test cannot be reached.')).toContain('npm start')
  const answer = explained('network', 'http://a.test answered 502.', { status: 502 })
  expect(answer).toBe('✗ http://a.test answered 502.\n')
})

test("indents further lines of a message, so that they do not look like the program's", () => {
  expect(explained('not_found', 'Gone\n✓ 200 OK')).toBe('✗ Gone\n  ✓ 200 OK\n')
})

test('escapes control codes', () => {
  expect(explained('not_found', 'Gone\u001b[2J')).toBe('✗ Gone\\u001b[2J\n')
})
