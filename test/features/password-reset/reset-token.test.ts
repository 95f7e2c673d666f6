import { expect, test } from '@jest/globals'
import { resetToken } from '../../../server/features/password-reset/reset-token.ts'
import { accessToken, refreshToken } from '../../../server/token/claims.ts'
import { issue } from '../../../server/token/issue.ts'
import { LIFETIME, open, recipientOf, setUp } from '../../token/fixtures.ts'
import { verifyEs256 } from '../../support/foreign-jose.ts'

const CLAIMS = { iss: 'i', sub: 's', aud: resetToken.audience, iat: 1, exp: 2, jti: 'j' }

test('accepts its claims, and no others', () => {
  expect(resetToken.claims.parse(CLAIMS)).toEqual(CLAIMS)
  for (const member of Object.keys(CLAIMS)) {
    expect(resetToken.claims.safeParse({ ...CLAIMS, [member]: undefined }).success).toBe(false)
  }
  for (const more of [{ gen: 1 }, { scope: 'user' }, { sid: 'x' }]) {
    expect(resetToken.claims.safeParse({ ...CLAIMS, ...more }).success).toBe(false)
  }
})

test('has a typ of its own, and the one path that takes it as its audience', async () => {
  expect([accessToken.typ, refreshToken.typ]).not.toContain(resetToken.typ)
  const { context, client, keystore } = await setUp()
  const own = { sub: 'account-1', aud: resetToken.audience }
  const token = issue(context, resetToken, own, recipientOf(client), LIFETIME)
  const { header, payload } = verifyEs256(await open(token, client), keystore.signingKey.publicKey)!
  expect(header['typ']).toBe('reset+jwt')
  expect(payload).toMatchObject({ sub: 'account-1', aud: '/account/password-reset' })
})
