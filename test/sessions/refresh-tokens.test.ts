import { expect, test } from '@jest/globals'
import { createHash, createHmac } from 'node:crypto'
import {
  hashJti,
  newSalt,
  recordRefreshToken,
  successorOf,
} from '../../server/sessions/refresh-tokens.ts'
import { addSession, NOW, openFilled } from './fixtures.ts'

test('only the SHA-256 of the jti of an unused token is recorded', async () => {
  const db = await openFilled()
  await addSession(db, 'session')
  await recordRefreshToken(db, 'session', 'the jti', NOW + 7)
  const expected = createHash('sha256').update('the jti').digest('base64url')
  expect(hashJti('the jti')).toBe(expected)
  expect(await db.selectFrom('refresh_tokens').selectAll().execute()).toEqual([
    { jti_hash: expected, session_id: 'session', used_at: null, salt: null, expires_at: NOW + 7 },
  ])
  await db.destroy()
})

test('a salt is 32 random bytes', () => {
  const salts = Array.from({ length: 10 }, newSalt)
  for (const salt of salts) expect(Buffer.from(salt, 'base64url')).toHaveLength(32)
  expect(new Set(salts).size).toBe(10)
})

test('the successor is HMAC-SHA256 under the token’s jti, over the salt and the session', () => {
  const salt = Buffer.alloc(32, 7)
  const expected = createHmac('sha256', 'the jti')
    .update(salt)
    .update('session')
    .digest('base64url')
  expect(successorOf('the jti', salt.toString('base64url'), 'session')).toBe(expected)
  expect(expected).toMatch(/^[\w-]{43}$/)
})

test.each([
  ['token', 'other', 7, 'session'],
  ['salt', 'the jti', 8, 'session'],
  ['session', 'the jti', 7, 'other'],
])('another %s gives another successor', (_, jti, byte, sid) => {
  const saltOf = (fill: number) => Buffer.alloc(32, fill).toString('base64url')
  expect(successorOf(jti, saltOf(byte), sid)).not.toBe(successorOf('the jti', saltOf(7), 'session'))
})
