/** Every algorithm of the client, with the Web Crypto of a real browser. */
import { expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import type {
  EncryptionAlg,
  EncryptionCrv,
  EncryptionEnc,
  SigningAlg,
} from '../../protocol/algorithms.ts'
import { someEmail } from '../support/client.ts'
import { serve } from './servers.ts'
import { openWithClient, PASSWORD } from './support.ts'

/** The last is the number of ephemeral keys in three requests. */
const CASES: [SigningAlg, EncryptionAlg, EncryptionEnc, EncryptionCrv | undefined, number][] = [
  ['ES256', 'ECDH-ES+A128KW', 'A128GCM', 'P-256', 1],
  ['ES384', 'ECDH-ES+A256KW', 'A256GCM', 'P-384', 1],
  ['ES512', 'ECDH-ES', 'A256CBC-HS512', 'P-521', 3],
  ['EdDSA', 'ECDH-ES+A128KW', 'A128CBC-HS256', 'X25519', 1],
  ['Ed25519', 'ECDH-ES', 'A128GCM', 'X25519', 3],
  ['PS256', 'RSA-OAEP-256', 'A256GCM', undefined, 0],
  ['RS256', 'RSA-OAEP-256', 'A128CBC-HS256', undefined, 0],
]

test.each(CASES)('%s, %s, %s, %s', async (signingAlg, encryptionAlg, encryptionEnc, crv, keys) => {
  const curve = crv === undefined ? {} : { encryptionCrv: crv }
  const { url, config } = await serve({
    algorithms: { signingAlg, encryptionAlg, encryptionEnc, ...curve },
  })
  const page = await openWithClient(url)
  const ephemeral: unknown[] = []
  page.on('request', (request) => {
    const { authorization } = request.headers()
    if (authorization === undefined) return
    const header = decodeProtectedHeader(authorization.slice('Bearer '.length))
    expect(header).toMatchObject({ alg: encryptionAlg, enc: encryptionEnc })
    if (header['epk'] !== undefined) ephemeral.push(JSON.stringify(header['epk']))
  })
  const person = { email: someEmail(), password: PASSWORD }
  const seen = await page.evaluate(
    async ({ person, issuer }) => {
      const store = await client.browserStore()
      const auth = new client.AuthClient({ server: location.origin, issuer, store })
      await auth.signUp(person)
      const both = await Promise.all([auth.fetch('/account'), auth.fetch('/account')])
      await auth.refresh()
      const last = await auth.fetch('/account')
      const { header } = await auth.accessToken()
      return { alg: header['alg'], statuses: [...both, last].map(({ status }) => status) }
    },
    { person, issuer: config.issuer },
  )
  expect(seen).toEqual({ alg: signingAlg, statuses: [200, 200, 200] })
  expect(new Set(ephemeral).size).toBe(keys)
})
