import { beforeEach, describe, expect, test } from '@jest/globals'
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { issue } from '../../server/token/issue.ts'
import { accessToken } from '../../server/token/claims.ts'
import { validate } from '../../server/token/validate.ts'
import { concatKdf, decryptJwe, encryptJwe, verifyEs256 } from '../support/foreign-jose.ts'
import { LIFETIME, OWN_CLAIMS, recipientOf, setUp, withPart, type Fixture } from './fixtures.ts'

describe('the key derivation of RFC 7518, Appendix C', () => {
  const alice = {
    kty: 'EC',
    crv: 'P-256',
    x: 'gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0',
    y: 'SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps',
    d: '0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo',
  }
  const bob = {
    kty: 'EC',
    crv: 'P-256',
    x: 'weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ',
    y: 'e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck',
    d: 'VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw',
  }
  const both = [
    ['the ephemeral private and the static public key', alice, bob],
    ['the static private and the ephemeral public key', bob, alice],
  ] as const

  test.each(both)('from %s', (_name, mine, theirs) => {
    const secret = diffieHellman({
      privateKey: createPrivateKey({ key: mine, format: 'jwk' }),
      publicKey: createPublicKey({ key: theirs, format: 'jwk' }),
    })
    const key = concatKdf(secret, 'A128GCM', 128, Buffer.from('Alice'), Buffer.from('Bob'))
    expect(key.toString('base64url')).toBe('VqqN6vgjbSBcIijNcacQGg')
  })
})

describe('another implementation of the default algorithms', () => {
  let server: Fixture
  beforeEach(async () => {
    server = await setUp()
  })

  const issued = () =>
    issue(server.context, accessToken, OWN_CLAIMS, recipientOf(server.client), LIFETIME)

  test('opens what the server issues, and verifies its signature', () => {
    const { header, plaintext } = decryptJwe(issued(), server.client.privateKey)
    expect(header).toMatchObject({ kid: server.client.kid, cty: 'JWT' })
    const jws = verifyEs256(plaintext, server.keystore.signingKey.publicKey)
    expect(jws?.header).toEqual(server.header)
    expect(jws?.payload).toMatchObject(OWN_CLAIMS)
  })

  test('refuses a signature after a claim was changed', () => {
    const { plaintext } = decryptJwe(issued(), server.client.privateKey)
    const changed = withPart(plaintext, 1, (part) => part.replace(/^./, 'f'))
    expect(verifyEs256(changed, server.keystore.signingKey.publicKey)).toBeUndefined()
  })

  test('makes tokens that the server accepts', async () => {
    const { plaintext } = decryptJwe(issued(), server.client.privateKey)
    const { kid, publicKey } = server.keystore.encryptionKey
    const token = encryptJwe(plaintext, publicKey, { kid, cty: 'JWT' })
    const { claims } = await validate(server.context, accessToken, token)
    expect(claims).toMatchObject(OWN_CLAIMS)
  })

  test('opens each of 300 tokens, including those with leading zeros, one in 256', () => {
    for (let n = 0; n < 300; n++) {
      const { plaintext } = decryptJwe(issued(), server.client.privateKey)
      expect(verifyEs256(plaintext, server.keystore.signingKey.publicKey)).toBeDefined()
    }
  })
})
