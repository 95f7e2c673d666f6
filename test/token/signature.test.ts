import { beforeAll, describe, expect, test } from '@jest/globals'
import { createPublicKey, generateKeyPairSync, sign, type JsonWebKey } from 'node:crypto'
import { CompactSign, compactVerify } from 'jose'
import { SIGNING_ALGS, type SigningAlg } from '../../protocol/algorithms.ts'
import { generateKeyPair, type KeyPair } from '../../server/keystore/key-pair.ts'
import { isSignature, signatureOf } from '../../server/token/signature.ts'
import { base64url, DEFAULTS } from './fixtures.ts'

/** The first two parts of a JWS, and its signature. */
function split(jws: string): { input: string; signature: Buffer } {
  const end = jws.lastIndexOf('.')
  return { input: jws.slice(0, end), signature: Buffer.from(jws.slice(end + 1), 'base64url') }
}

describe.each(SIGNING_ALGS)('%s', (alg) => {
  let key: KeyPair
  let own: { input: string; signature: Buffer }
  beforeAll(async () => {
    key = await generateKeyPair('sig', { ...DEFAULTS, signingAlg: alg })
    const input = `${base64url(JSON.stringify({ alg }))}.${base64url('a payload')}`
    own = { input, signature: signatureOf(input, alg, key.privateKey) }
  })

  const isOurs = (signature: Buffer, input = own.input) =>
    isSignature(signature, input, alg, key.publicKey)

  test('jose verifies our signature', async () => {
    const jws = `${own.input}.${base64url(own.signature)}`
    const { payload } = await compactVerify(jws, key.publicKey, { algorithms: [alg] })
    expect(Buffer.from(payload).toString()).toBe('a payload')
  })

  test("we verify jose's signature", async () => {
    const signing = new CompactSign(Buffer.from('a payload')).setProtectedHeader({ alg })
    const { input, signature } = split(await signing.sign(key.privateKey))
    expect(isOurs(signature, input)).toBe(true)
    expect(isOurs(signature, `${input}A`)).toBe(false)
  })

  test('a signature with any bit changed is refused', () => {
    expect(isOurs(own.signature)).toBe(true)
    for (let bit = 0; bit < own.signature.length * 8; bit += 7) {
      const changed = Buffer.from(own.signature)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(isOurs(changed)).toBe(false)
    }
  })

  test.each<[string, (good: Buffer) => Buffer]>([
    ['nothing', () => Buffer.alloc(0)],
    ['zeros', (good) => Buffer.alloc(good.length)],
    ['ones', (good) => Buffer.alloc(good.length, 0xff)],
    ['one byte less', (good) => good.subarray(1)],
    ['one byte more', (good) => Buffer.concat([good, Buffer.alloc(1)])],
    ['a leading zero', (good) => Buffer.concat([Buffer.alloc(1), good])],
    ['10,000 bytes', () => Buffer.alloc(10_000, 1)],
  ])('%s is not a signature', (_name, forge) => {
    expect(isOurs(forge(own.signature))).toBe(false)
  })

  test("another key's signature is refused", async () => {
    const other = await generateKeyPair('sig', { ...DEFAULTS, signingAlg: alg })
    expect(isOurs(signatureOf(own.input, alg, other.privateKey))).toBe(false)
  })
})

test.each<[SigningAlg, SigningAlg]>([
  ['PS256', 'RS256'],
  ['RS256', 'PS256'],
])('a signature by %s is not one by %s', async (alg, other) => {
  const key = await generateKeyPair('sig', { ...DEFAULTS, signingAlg: alg })
  const signature = signatureOf('input', alg, key.privateKey)
  expect(isSignature(signature, 'input', other, key.publicKey)).toBe(false)
})

describe('nothing is a signature by a key that does not fit its algorithm', () => {
  const input = Buffer.from('input')
  const p1363 = { dsaEncoding: 'ieee-p1363' } as const

  test.each([
    ['RSA of 1024 bits', 'RS256', generateKeyPairSync('rsa', { modulusLength: 1024 })],
    ['RSA', 'ES256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['secp256k1', 'ES256', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['P-256', 'ES384', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ] as const)('%s for %s', (_type, alg, { privateKey, publicKey }) => {
    const hash = alg === 'ES384' ? 'sha384' : 'sha256'
    const signature = sign(hash, input, { key: privateKey, ...p1363 })
    expect(isSignature(signature, 'input', alg, publicKey)).toBe(false)
  })

  test.each(['ed448', 'x25519'] as const)('%s for ES256', (type) => {
    const { publicKey } = generateKeyPairSync(type as 'ed448')
    expect(isSignature(Buffer.alloc(64, 1), 'input', 'ES256', publicKey)).toBe(false)
  })
})

describe('the examples of the RFCs', () => {
  const payload =
    'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'

  test.each<[string, SigningAlg, JsonWebKey, string]>([
    [
      'RFC 7515, Appendix A.2',
      'RS256',
      {
        kty: 'RSA',
        n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
        e: 'AQAB',
      },
      `eyJhbGciOiJSUzI1NiJ9.${payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw`,
    ],
    [
      'RFC 7515, Appendix A.3',
      'ES256',
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
        y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      },
      `eyJhbGciOiJFUzI1NiJ9.${payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`,
    ],
    [
      'RFC 8037, Appendix A.4',
      'EdDSA',
      { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
      'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
    ],
  ])('%s', (_source, alg, jwk, jws) => {
    const { input, signature } = split(jws)
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
    expect(isSignature(signature, input, alg, publicKey)).toBe(true)
  })
})
