import { expect, test } from '@jest/globals'
import { AuthError } from '../../../client/index.ts'
import { describe } from '../../../server/features/playground/page/dom.ts'

test.each([
  ['password is too short.', 'Password is too short. (invalid_request)'],
  ['The ID token is not valid.', 'The ID token is not valid. (invalid_request)'],
  [
    'http://localhost:3000/account is away.',
    'http://localhost:3000/account is away. (invalid_request)',
  ],
  ['', ' (invalid_request)'],
])('an error that says %j is described as %j', (message, described) => {
  expect(describe(new AuthError('invalid_request', message))).toBe(described)
})
