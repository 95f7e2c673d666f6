import { expect, jest, test } from '@jest/globals'
import { generateClientKey } from '../../../client/keys/client-key.ts'
import { ProofKeys } from '../../../client/token/proof-keys.ts'

const P256 = { kty: 'EC', crv: 'P-256' } as const
const newRecipient = async () => {
  const { id: kid, publicJwk } = await generateClientKey(P256)
  return { ...publicJwk, kid, alg: 'ECDH-ES+A128KW' as const }
}

test('a key is derived once for each client and each key of the recipient', async () => {
  const proofKeys = new ProofKeys()
  const client = await generateClientKey(P256)
  const loadKey = jest.fn(() => Promise.resolve(client))
  const [recipient, rotated] = [await newRecipient(), await newRecipient()]
  const first = await proofKeys.find('server', recipient, client.id, loadKey)
  expect(await proofKeys.find('server', recipient, client.id, loadKey)).toBe(first)
  expect(loadKey).toHaveBeenCalledTimes(1)
  expect(await proofKeys.find('server', rotated, client.id, loadKey)).not.toBe(first)
  expect(loadKey).toHaveBeenCalledTimes(2)
  // A request of the session before may have derived it after `forget`.
  const other = await generateClientKey(P256)
  const second = await proofKeys.find('server', rotated, other.id, () => Promise.resolve(other))
  expect(await proofKeys.find('server', rotated, client.id, loadKey)).not.toBe(second)
  expect(loadKey).toHaveBeenCalledTimes(3)
})
