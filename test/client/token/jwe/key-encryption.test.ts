import { constants, publicEncrypt } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { decryptKey, encryptKey } from '../../../../client/token/jwe/key-encryption.ts'
import { keyFor } from '../../../token/jwe/fixtures.ts'
import { clientKeyFor } from './fixtures.ts'

const RSA = ['RSA-OAEP-256', undefined] as const
const KEY = new Uint8Array(32).map((_, index) => index)

test('an RSA-encrypted key decrypts to the same bytes, leading zeros included', async () => {
  const { publicJwk, privateKey } = await clientKeyFor(...RSA)
  const encrypted = await encryptKey(publicJwk, KEY)
  expect(await decryptKey(privateKey, encrypted, KEY.length)).toEqual(KEY)
})

test('leading zeros that an engine dropped are put back', async () => {
  const { privateKey } = await clientKeyFor(...RSA)
  const { publicKey } = keyFor(...RSA)
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const dropped = publicEncrypt({ key: publicKey, padding, oaepHash: 'sha256' }, KEY.subarray(1))
  expect(await decryptKey(privateKey, new Uint8Array(dropped), KEY.length)).toEqual(KEY)
})

test('a key that is too long is returned whole, so that its length is refused', async () => {
  const { publicJwk, privateKey } = await clientKeyFor(...RSA)
  const encrypted = await encryptKey(publicJwk, KEY)
  expect(await decryptKey(privateKey, encrypted, 16)).toEqual(KEY)
})
