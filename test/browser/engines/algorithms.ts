/** Every algorithm of the client, with a browser engine's own Web Crypto. */
import { expect, test } from '@jest/globals'
import type {
  EncryptionAlg,
  EncryptionCrv,
  EncryptionEnc,
  SigningAlg,
} from '../../../protocol/algorithms.ts'
import { clientPage } from '../client-page.ts'
import { serve } from '../servers.ts'
import { openApp, signUp } from './apps.ts'
import { watchRequests } from './watch-requests.ts'

/** The last element is the number of ephemeral keys in three requests. */
const CASES: [SigningAlg, EncryptionAlg, EncryptionEnc, EncryptionCrv | undefined, number][] = [
  ['ES256', 'ECDH-ES+A128KW', 'A128GCM', 'P-256', 1],
  ['ES384', 'ECDH-ES+A256KW', 'A256GCM', 'P-384', 1],
  ['ES512', 'ECDH-ES', 'A256CBC-HS512', 'P-521', 3],
  ['EdDSA', 'ECDH-ES+A128KW', 'A128CBC-HS256', 'X25519', 1],
  ['Ed25519', 'ECDH-ES', 'A128GCM', 'X25519', 3],
  ['PS256', 'RSA-OAEP-256', 'A256GCM', undefined, 0],
  ['RS256', 'RSA-OAEP-256', 'A128CBC-HS256', undefined, 0],
]

/** Whether the engine can copy the private key, which storing it in IndexedDB needs. */
async function copiesX25519(): Promise<boolean> {
  const { privateKey } = await crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits'])
  try {
    return structuredClone(privateKey) instanceof CryptoKey
  } catch {
    return false
  }
}

export function testAlgorithms(): void {
  test.each(CASES)(
    '%s, %s, %s, %s',
    async (signingAlg, encryptionAlg, encryptionEnc, crv, keys) => {
      const { feature, seen } = watchRequests()
      const curve = crv === undefined ? {} : { encryptionCrv: crv }
      const algorithms = { signingAlg, encryptionAlg, encryptionEnc, ...curve }
      const { url } = await serve({ algorithms }, [clientPage, feature])
      const tab = await openApp(url)
      if (crv === 'X25519' && !(await tab.evaluate(copiesX25519))) {
        await expect(signUp(tab)).rejects.toThrow('X25519 keys are not supported here.')
        return
      }
      await signUp(tab)
      const outcome = await tab.evaluate(async () => {
        const both = await Promise.all([auth.fetch('/account'), auth.fetch('/account')])
        await auth.refresh()
        const last = await auth.fetch('/account')
        const { header } = await auth.accessToken()
        return { alg: header['alg'], statuses: [...both, last].map(({ status }) => status) }
      })
      expect(outcome).toEqual({ alg: signingAlg, statuses: [200, 200, 200] })
      const sent = seen.filter(({ line }) => line === 'GET /account').map(({ header }) => header!)
      expect(sent).toHaveLength(3)
      for (const header of sent)
        expect(header).toMatchObject({ alg: encryptionAlg, enc: encryptionEnc })
      const ephemeral = sent.flatMap(({ epk }) => (epk === undefined ? [] : JSON.stringify(epk)))
      expect(new Set(ephemeral).size).toBe(keys)
    },
  )
}
