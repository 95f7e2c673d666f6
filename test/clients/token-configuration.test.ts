import { expect, test } from '@jest/globals'
import { tokenConfiguration } from '../../server/clients/token-configuration.ts'
import { decrypt } from '../../server/token/decrypt.ts'
import { seal } from '../../server/token/jwe/seal-jwe.ts'
import { testConfig } from '../support/config.ts'
import { DEFAULTS, ISSUER, open, recipientOf, setUp } from '../token/fixtures.ts'

const CONFIG = testConfig({
  issuer: ISSUER,
  algorithms: DEFAULTS,
  accessTokenTtl: 900,
  refreshTokenTtl: 2_592_000,
  requestBinding: 'optional',
})

test('a client learns the issuer, its audience, the algorithms and the lifetimes', () => {
  expect(tokenConfiguration(CONFIG, 'client-1')).toEqual({
    iss: ISSUER,
    aud: 'client-1',
    access_token_signing_alg: 'ES256',
    access_token_encryption_alg: 'ECDH-ES+A128KW',
    access_token_encryption_enc: 'A128GCM',
    encryption_key_kty: 'EC',
    encryption_key_crv: 'P-256',
    access_token_ttl: 900,
    refresh_token_ttl: 2_592_000,
    request_binding: 'optional',
  })
})

test('a client learns that it must bind its requests', () => {
  const config = { ...CONFIG, requestBinding: 'required' } as const
  expect(tokenConfiguration(config, 'client-1').request_binding).toBe('required')
})

test('the configuration for RSA has no curve', () => {
  const { signingAlg, encryptionEnc } = DEFAULTS
  const algorithms = { signingAlg, encryptionEnc, encryptionAlg: 'RSA-OAEP-256' } as const
  const configuration = tokenConfiguration({ ...CONFIG, algorithms }, 'client-1')
  expect(configuration.encryption_key_kty).toBe('RSA')
  expect(configuration).not.toHaveProperty('encryption_key_crv')
})

test('includes nothing else of the server’s configuration', () => {
  const config = { ...CONFIG, privateKeyPassphrase: 'secret', keysDir: '/keys' }
  expect(JSON.stringify(tokenConfiguration(config, 'client-1'))).not.toMatch(/secret|keys/)
})

test('only the client that it is encrypted to can read it', async () => {
  const { client } = await setUp()
  const { client: stranger } = await setUp()
  const configuration = tokenConfiguration(CONFIG, client.kid)
  const jwe = seal(JSON.stringify(configuration), recipientOf(client), 'A128GCM', { cty: 'json' })
  const { plaintext } = await decrypt(jwe, () => client, ['A128GCM'], { cty: 'json' })
  expect(JSON.parse(plaintext)).toEqual(configuration)
  await expect(open(jwe, stranger)).rejects.toMatchObject({ code: 'ERR_JWE_DECRYPTION_FAILED' })
})
