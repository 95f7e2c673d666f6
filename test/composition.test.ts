import { createSecretKey, randomBytes } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { compose } from '../server/composition.ts'
import { generateKeyPair, type KeyPair } from '../server/keystore/key-pair.ts'
import { createEphemeralKeystore } from '../server/keystore/keystore.ts'
import { createLogger } from '../server/log/logger.ts'
import { accessToken } from '../server/token/claims.ts'
import { keySet } from './keystore/fixtures.ts'
import { testConfig } from './support/config.ts'
import { openTestDatabase } from './support/database.ts'
import { DEFAULTS, ISSUER, OWN_CLAIMS } from './token/fixtures.ts'

test('a replacement of the keys drops what the caches hold of the keys that are gone', async () => {
  const keystore = await createEphemeralKeystore(DEFAULTS)
  const database = await openTestDatabase()
  const logger = createLogger('silent')
  const { agreements, verified, proofKeys } = compose({
    config: testConfig(),
    keystore,
    database,
    logger,
  }).caches
  const claims = { ...OWN_CLAIMS, iss: ISSUER, iat: 1, exp: 2, jti: 'token-1' }
  const { kty = '', crv = '', x = '', y = '' } = (await generateKeyPair('enc', DEFAULTS)).publicJwk
  const proofKeyOf = (key: KeyPair) => proofKeys.keyFor({ kty, crv, x, y }, key)

  const [oldSig, oldEnc] = [keystore.signingKey, keystore.encryptionKey]
  const [sig, enc] = [
    await generateKeyPair('sig', DEFAULTS),
    await generateKeyPair('enc', DEFAULTS),
  ]
  for (const [name, signing, encryption] of [
    ['old', oldSig, oldEnc],
    ['new', sig, enc],
  ] as const) {
    const wrappingKey = createSecretKey(randomBytes(16))
    agreements.remember(name, { id: name, kid: encryption.kid, wrappingKey })
    verified.remember(name, { kind: accessToken, kid: signing.kid, claims })
  }
  const [oldProofKey, newProofKey] = [proofKeyOf(oldEnc), proofKeyOf(enc)]

  keystore.replace(keySet(sig, enc))
  const known = (find: (name: string) => unknown) =>
    ['old', 'new'].filter((name) => find(name) !== undefined)
  expect(known((id) => agreements.find(id))).toEqual(['new'])
  expect(known((jws) => verified.find(jws, accessToken))).toEqual(['new'])
  expect([proofKeyOf(oldEnc) === oldProofKey, proofKeyOf(enc) === newProofKey]).toEqual([
    false,
    true,
  ])
  await database.destroy()
})
