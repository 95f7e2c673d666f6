import { expect, test } from '@jest/globals'
import { HttpError, type ErrorCode } from '../../server/http/http-error.ts'

test.each<[ErrorCode, number]>([
  ['invalid_request', 400],
  ['invalid_client', 400],
  ['invalid_client_metadata', 400],
  ['invalid_grant', 400],
  ['invalid_token', 401],
  ['not_found', 404],
  ['method_not_allowed', 405],
  ['account_exists', 409],
  ['payload_too_large', 413],
  ['unsupported_media_type', 415],
  ['server_error', 500],
  ['temporarily_unavailable', 503],
])('%s has the status %i', (code, status) => {
  const error = new HttpError(code, 'Something is not right.')
  expect(error.status).toBe(status)
  expect(error.headers).toEqual({})
  expect(error.body).toEqual({ error: code, error_description: 'Something is not right.' })
})

test('an explicit status and headers replace the usual ones', () => {
  const headers = { 'Retry-After': '1' }
  const error = new HttpError('invalid_grant', 'No.', { status: 401, headers })
  expect([error.status, error.headers]).toEqual([401, headers])
})
