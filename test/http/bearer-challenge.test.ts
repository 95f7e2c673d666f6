import { expect, test } from '@jest/globals'
import { tokenExpired, tokenRefused, tokenRequired } from '../../server/http/bearer-challenge.ts'

test.each([
  ['no token was sent', tokenRequired(), 'Bearer realm="jwe-auth-server"'],
  [
    'the token is refused',
    tokenRefused(),
    'Bearer realm="jwe-auth-server", error="invalid_token", error_description="The access token is not valid."',
  ],
  [
    'the token has expired',
    tokenExpired(),
    'Bearer realm="jwe-auth-server", error="invalid_token", error_description="The access token has expired."',
  ],
])('the challenge if %s', (_, error, challenge) => {
  expect([error.status, error.code]).toEqual([401, 'invalid_token'])
  expect(error.headers).toEqual({ 'WWW-Authenticate': challenge })
})
