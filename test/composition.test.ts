import { createSecretKey, randomBytes } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { compose } from '../server/composition.ts'
import { generateKeyPair } from '../server/keystore/key-pair.ts'
import { createEphemeralKeystore } from '../server/keystore/keystore.ts'
import { createLogger } from '../server/log/logger.ts'
import { accessToken } from '../server/token/claims.ts'
import { keySet } from './keystore/fixtures.ts'
import { testConfig } from './support/config.ts'
import { openTestDatabase } from './support/database.ts'
import { DEFAULTS, ISSUER, OWN_CLAIMS } from './token/fixtures.ts'

test('a replacement of the keys empties the caches', async () => {
  const keystore = await createEphemeralKeystore(DEFAULTS)
  const { signingKey, encryptionKey } = keystore
  const database = await openTestDatabase()
  const logger = createLogger('silent')
  const { caches } = compose({ config: testConfig(), keystore, database, logger })
  const { agreements, verified, proofKeys } = caches
  const { kty = '', crv = '', x = '', y = '' } = (await generateKeyPair('enc', DEFAULTS)).publicJwk
  const proofKey = () => proofKeys.keyFor({ kty, crv, x, y }, encryptionKey)

  const wrappingKey = createSecretKey(randomBytes(16))
  agreements.remember('client', { id: 'agreement', wrappingKey })
  const claims = { ...OWN_CLAIMS, iss: ISSUER, iat: 1, exp: 2, jti: 'token-1' }
  verified.remember('jws', { kind: accessToken, kid: signingKey.kid, claims })
  const kept = proofKey()
  expect([agreements.find('agreement'), proofKey()]).toEqual([wrappingKey, kept])
  expect(verified.find('jws', accessToken)).toBeDefined()

  keystore.replace(keySet(signingKey, await generateKeyPair('enc', DEFAULTS)))
  expect(agreements.find('agreement')).toBeUndefined()
  expect(verified.find('jws', accessToken)).toBeUndefined()
  expect(proofKey()).not.toBe(kept)
  await database.destroy()
})
