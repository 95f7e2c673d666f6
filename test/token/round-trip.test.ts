import { beforeAll, expect, test } from '@jest/globals'
import {
  ENCRYPTION_ALGS,
  ENCRYPTION_CRVS,
  ENCRYPTION_ENCS,
  requiredKeyType,
  SIGNING_ALGS,
  type Algorithms,
  type KeyUse,
} from '../../protocol/algorithms.ts'
import { generateKeyPair, toKeyPair, type KeyPair } from '../../server/keystore/key-pair.ts'
import { createKeystore } from '../../server/keystore/keystore.ts'
import { issue } from '../../server/token/issue.ts'
import { accessToken } from '../../server/token/claims.ts'
import { importPublicKey } from '../../server/keystore/public-key.ts'
import { validate } from '../../server/token/validate.ts'
import { seal } from '../../server/token/jwe/seal-jwe.ts'
import { keySet } from '../keystore/fixtures.ts'
import { createClock } from '../support/clock.ts'
import { ISSUER, LIFETIME, open, OWN_CLAIMS, recipientOf, refusal, setUp } from './fixtures.ts'

/** Every combination that the configuration allows: RSA has no curve, ECDH always has one. */
const ENCRYPTIONS = ENCRYPTION_ALGS.flatMap((encryptionAlg): Partial<Algorithms>[] =>
  encryptionAlg === 'RSA-OAEP-256'
    ? [{ encryptionAlg }]
    : ENCRYPTION_CRVS.map((encryptionCrv) => ({ encryptionAlg, encryptionCrv })),
)
const COMBINATIONS = ENCRYPTIONS.flatMap((encryption) =>
  ENCRYPTION_ENCS.flatMap((encryptionEnc) =>
    SIGNING_ALGS.map((signingAlg) => ({ signingAlg, encryptionEnc, ...encryption }) as Algorithms),
  ),
)

/** Keys are made once for each type and role: RSA ones take long. */
const keys = new Map<string, Promise<KeyPair>>()
function keyFor(role: string, use: KeyUse, algorithms: Algorithms): Promise<KeyPair> {
  const name = JSON.stringify([role, requiredKeyType(use, algorithms)])
  const key = keys.get(name) ?? generateKeyPair(use, algorithms)
  keys.set(name, key)
  return key.then(({ privateKey }) =>
    toKeyPair(privateKey, use, use === 'sig' ? algorithms.signingAlg : algorithms.encryptionAlg),
  )
}

test('there are 364 combinations of algorithms', () => {
  expect(COMBINATIONS).toHaveLength(7 * (3 * 4 + 1) * 4)
})

test.each(
  COMBINATIONS.map((algorithms) => [Object.values(algorithms).join(', '), algorithms] as const),
)('server → client → server with %s', async (_name, algorithms) => {
  const keystore = createKeystore(
    keySet(
      await keyFor('server sig', 'sig', algorithms),
      await keyFor('server enc', 'enc', algorithms),
    ),
  )
  const client = await keyFor('client', 'enc', algorithms)
  const context = { issuer: ISSUER, algorithms, keystore, clock: createClock() }
  const imported = await importPublicKey(client.publicJwk, requiredKeyType('enc', algorithms))
  const recipient = { ...imported, alg: algorithms.encryptionAlg }
  const token = issue(context, accessToken, OWN_CLAIMS, recipient, LIFETIME)
  const jws = await open(token, client)
  const answer = seal(jws, keystore.encryptionKey, algorithms.encryptionEnc, { cty: 'JWT' })
  const { claims, header } = await validate(context, accessToken, answer)
  expect(claims).toMatchObject(OWN_CLAIMS)
  expect(header).toMatchObject({
    alg: algorithms.encryptionAlg,
    enc: algorithms.encryptionEnc,
    kid: keystore.encryptionKey.kid,
  })
})

let server: Awaited<ReturnType<typeof setUp>>
beforeAll(async () => {
  server = await setUp()
})

test('a token for one client is opened by no other, and not by the server', async () => {
  const { context, client } = server
  const other = await setUp()
  const token = issue(context, accessToken, OWN_CLAIMS, recipientOf(client), LIFETIME)
  await expect(open(token, client)).resolves.toMatch(/^[^.]+\.[^.]+\.[^.]+$/)
  await expect(open(token, other.client)).rejects.toMatchObject({
    code: 'ERR_JWE_DECRYPTION_FAILED',
  })
  expect((await refusal(validate(context, accessToken, token))).reason).toBe('jwe_kid')
})

test('a token of one server is refused by another of the same issuer and algorithms', async () => {
  const other = await setUp()
  const jws = await server.accessJws()
  const { reason } = await refusal(validate(other.context, accessToken, await other.seal(jws)))
  expect(reason).toBe('jws_kid')
})
