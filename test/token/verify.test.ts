import { beforeAll, expect, test } from '@jest/globals'
import { requiredKeyType } from '../../protocol/algorithms.ts'
import { generateKeyPair } from '../../server/keystore/key-pair.ts'
import { importPublicKey } from '../../server/keystore/public-key.ts'
import { sign } from '../../server/token/signature.ts'
import { verify } from '../../server/token/verify.ts'
import { DEFAULTS, forge, refusal, setUp, type Fixture } from './fixtures.ts'

let server: Fixture
beforeAll(async () => {
  server = await setUp()
})

const CLAIMS = { sub: 'account-1', nested: { list: [1, '\u{1f511}'] } }
const signed = () => sign(CLAIMS, 'at+jwt', server.keystore.signingKey)

test('anyone with the public key can check who signed', async () => {
  const jwk = server.keystore.signingKey.publicJwk
  const { kid, publicKey } = await importPublicKey(jwk, requiredKeyType('sig', DEFAULTS))
  const keys = (wanted: string) => (wanted === kid ? { kid, alg: 'ES256', publicKey } : undefined)
  expect((await verify(signed(), 'at+jwt', keys)).payload).toEqual(CLAIMS)
})

test('a token with an unknown kid is refused', async () => {
  const work = verify(signed(), 'at+jwt', () => undefined)
  expect((await refusal(work)).reason).toBe('jws_kid')
})

test('a key is used only with its own algorithm', async () => {
  const keys = () => ({ ...server.keystore.signingKey, alg: 'ES384' })
  expect((await refusal(verify(signed(), 'at+jwt', keys))).reason).toBe('jws_alg')
})

test.each([
  ['EdDSA', 'Ed25519'],
  ['Ed25519', 'EdDSA'],
] as const)('a key for %s refuses %s, the other name of its algorithm', async (own, other) => {
  const key = await generateKeyPair('sig', { ...DEFAULTS, signingAlg: own })
  const token = sign(CLAIMS, 'at+jwt', key)
  expect((await verify(token, 'at+jwt', () => key)).payload).toEqual(CLAIMS)
  const renamed = sign(CLAIMS, 'at+jwt', { ...key, alg: other })
  expect((await refusal(verify(renamed, 'at+jwt', () => key))).reason).toBe('jws_alg')
})

test('the typ is compared exactly', async () => {
  const work = verify(signed(), 'AT+JWT', () => server.keystore.signingKey)
  expect((await refusal(work)).reason).toBe('typ')
})

test("another key's signature is refused", async () => {
  const { keystore } = await setUp()
  const jws = forge(server.header, CLAIMS, keystore.signingKey.privateKey)
  await expect(verify(jws, 'at+jwt', () => server.keystore.signingKey)).rejects.toMatchObject({
    reason: 'signature',
  })
})
