import { expect, test } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { checkRegistration } from '../../server/clients/registration.ts'
import { DEFAULTS } from '../token/fixtures.ts'

const policy = { algorithms: DEFAULTS, keyBoundTokens: true }
const jwk = {
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  ...({ kty: 'EC', use: 'enc' } as const),
}

test('an unusable key is refused, and the error names the fault', async () => {
  await expect(
    checkRegistration({ jwks: { keys: [{ ...jwk, y: jwk.x }] } }, policy),
  ).rejects.toMatchObject({
    reason: 'invalid_client_metadata',
    message: expect.stringMatching(/damaged/),
  })
})

test('a bug while reading the key is not reported as a bad registration', async () => {
  const bug = new RangeError('Array buffer allocation failed')
  const key = {
    ...jwk,
    get crv(): string {
      throw bug
    },
  }
  await expect(checkRegistration({ jwks: { keys: [key] } }, policy)).rejects.toBe(bug)
})
