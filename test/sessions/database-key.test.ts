import { beforeAll, expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import type { EncryptionAlg } from '../../server/keystore/algorithms.ts'
import type { KeyPair } from '../../server/keystore/key-pair.ts'
import { createEphemeralKeystore, type Keystore } from '../../server/keystore/keystore.ts'
import { createDatabaseKey, openDatabaseKey } from '../../server/sessions/database-key.ts'
import type { TokenContext } from '../../server/token/context.ts'
import { encrypt } from '../../server/token/encrypt.ts'
import { createClock } from '../support/clock.ts'
import { testConfig } from '../support/config.ts'

const { issuer, algorithms } = testConfig()
let keystore: Keystore
let context: TokenContext

beforeAll(async () => {
  keystore = await createEphemeralKeystore(algorithms)
  context = { issuer, algorithms, keystore, clock: createClock() }
})

test('a database key is 32 bytes that no other session has', async () => {
  const keys = await Promise.all(Array.from({ length: 10 }, () => createDatabaseKey(context)))
  for (const { plain, sealed } of keys) {
    expect(Buffer.from(plain, 'base64url')).toHaveLength(32)
    expect(Buffer.from(plain, 'base64url').toString('base64url')).toBe(plain)
    expect(await openDatabaseKey(context, sealed)).toBe(plain)
  }
  expect(new Set(keys.map(({ plain }) => plain)).size).toBe(10)
})

test('it outlives a change of the content encryption', async () => {
  const former = {
    ...context,
    algorithms: { ...algorithms, encryptionEnc: 'A256CBC-HS512' },
  } as const
  const { plain, sealed } = await createDatabaseKey(former)
  expect(await openDatabaseKey(context, sealed)).toBe(plain)
})

/** A keystore whose one key for encryption is used with `alg`. */
const using = (alg: EncryptionAlg, key = keystore.encryptionKey): Keystore => {
  const encryptionKey: KeyPair = { ...key, alg }
  return {
    ...keystore,
    encryptionKey,
    decryptionKey: (kid) => (kid === undefined || kid === key.kid ? encryptionKey : undefined),
  }
}

const ECDH = ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW'] as const
test.each(ECDH.flatMap((from) => ECDH.map((to) => [from, to] as const)))(
  'sealed with %s it opens where the same key is used with %s',
  async (from, to) => {
    const former = {
      ...{ ...context, keystore: using(from) },
      algorithms: { ...algorithms, encryptionAlg: from },
    }
    const { plain, sealed } = await createDatabaseKey(former)
    expect(decodeProtectedHeader(sealed).alg).toBe(from)
    expect(await openDatabaseKey({ ...context, keystore: using(to) }, sealed)).toBe(plain)
  },
)

test.each(['RSA-OAEP-256', 'RSA-OAEP', 'RSA1_5', 'dir', 'A128KW', 'PBES2-HS256+A128KW', 'none', 7])(
  'one that says it was sealed with %s is not opened by another type of key',
  async (alg) => {
    const { sealed } = await createDatabaseKey(context)
    const [header = '', ...rest] = sealed.split('.')
    const changed = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), alg } as object
    const forged = Buffer.from(JSON.stringify(changed)).toString('base64url')
    expect(await openDatabaseKey(context, [forged, ...rest].join('.'))).toBeUndefined()
  },
)

test('it does not outlive the key that it was sealed to', async () => {
  const other = { ...context, keystore: await createEphemeralKeystore(algorithms) }
  const { sealed } = await createDatabaseKey(other)
  expect(await openDatabaseKey(context, sealed)).toBeUndefined()
})

test.each([
  ['nothing', () => ''],
  ['garbage', () => 'a.b.c.d.e'],
  [
    'a token',
    () => {
      const { kid, publicKey } = keystore.encryptionKey
      return encrypt('x', { kid, key: publicKey }, algorithms, 'JWT')
    },
  ],
  [
    'sealed to ours and changed since',
    async () => {
      const { sealed } = await createDatabaseKey(context)
      return sealed.replace(/.{22}$/, 'A'.repeat(22))
    },
  ],
])('%s is not opened', async (_, sealed) => {
  expect(await openDatabaseKey(context, await sealed())).toBeUndefined()
})
