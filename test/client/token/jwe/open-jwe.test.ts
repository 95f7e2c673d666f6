import { afterEach, expect, jest, test } from '@jest/globals'
import { codeOf } from '../../../support/auth-client.ts'
import { base64url, withPart } from '../../../token/fixtures.ts'
import { forgeJwe, joseOpen, keyFor, KEY_KINDS } from '../../../token/jwe/fixtures.ts'
import { clientKeyFor, openText } from './fixtures.ts'

afterEach(() => {
  jest.restoreAllMocks()
})

test('an RSA-encrypted key without its leading zeros is refused', async () => {
  const rsa = keyFor('RSA-OAEP-256', undefined)
  const own = await clientKeyFor('RSA-OAEP-256', undefined)
  // One key in 256 has a leading zero.
  for (;;) {
    const jwe = forgeJwe(rsa, 'A128GCM')
    const bytes = Buffer.from(jwe.split('.')[1]!, 'base64url')
    if (bytes[0] !== 0) continue
    const short = withPart(jwe, 1, () => base64url(bytes.subarray(1)))
    // jose opens it, so that one token would have two spellings.
    expect(await joseOpen(short, rsa)).toBe('text')
    expect(await codeOf(openText(short, own, 'RSA-OAEP-256'))).toBe('token_invalid')
    return
  }
})

test.each(KEY_KINDS.filter(([alg]) => alg !== 'ECDH-ES'))(
  '%s, %s: a content key of the wrong length is refused',
  async (alg, crv) => {
    const jwe = forgeJwe(keyFor(alg, crv), 'A128GCM', { wrappedKey: Buffer.alloc(32) })
    expect(await codeOf(openText(jwe, await clientKeyFor(alg, crv), alg))).toBe('token_invalid')
  },
)

test.each(['deriveBits', 'importKey', 'unwrapKey', 'decrypt'] as const)(
  'a fault of the runtime in %s is thrown as it is',
  async (name) => {
    const alg = 'ECDH-ES+A128KW'
    const own = await clientKeyFor(alg, 'P-256')
    const jwe = forgeJwe(keyFor(alg, 'P-256'), 'A128GCM')
    jest.spyOn(crypto.subtle, name).mockRejectedValueOnce(new RangeError('no memory'))
    await expect(openText(jwe, own, alg)).rejects.toBeInstanceOf(RangeError)
    expect(await openText(jwe, own, alg)).toBe('text')
  },
)
