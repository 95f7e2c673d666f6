import { beforeAll, describe, expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import type { EncryptionAlg } from '../../protocol/algorithms.ts'
import { generateKeyPair, type KeyPair } from '../../server/keystore/key-pair.ts'
import {
  createEphemeralKeystore,
  createKeystore,
  type Keystore,
} from '../../server/keystore/keystore.ts'
import {
  createDatabaseKey,
  openDatabaseKey,
  resealDatabaseKey,
} from '../../server/database-keys/database-key.ts'
import type { TokenContext } from '../../server/token/token-context.ts'
import { seal } from '../../server/token/jwe/seal-jwe.ts'
import { keySet, ring } from '../keystore/fixtures.ts'
import { createClock } from '../support/clock.ts'
import { testConfig } from '../support/config.ts'

const { issuer, algorithms } = testConfig()
let keystore: Keystore
let context: TokenContext

beforeAll(async () => {
  keystore = await createEphemeralKeystore(algorithms)
  context = { issuer, algorithms, keystore, clock: createClock() }
})

test('a database key is 32 bytes, different for each session', async () => {
  const keys = Array.from({ length: 10 }, () => createDatabaseKey(context))
  for (const { plain, sealed } of keys) {
    expect(Buffer.from(plain, 'base64url')).toHaveLength(32)
    expect(Buffer.from(plain, 'base64url').toString('base64url')).toBe(plain)
    expect(await openDatabaseKey(context, sealed)).toBe(plain)
  }
  expect(new Set(keys.map(({ plain }) => plain)).size).toBe(10)
})

/** As the first version stored it: sealed to the server's public key like a token. */
const sealedLikeAToken = ({ keystore, algorithms: { encryptionEnc } }: TokenContext) => {
  const plain = createDatabaseKey(context).plain
  return { plain, sealed: seal(plain, keystore.encryptionKey, encryptionEnc) }
}

test('a key of the first version can be opened after a change of the content encryption', async () => {
  const former = {
    ...context,
    algorithms: { ...algorithms, encryptionEnc: 'A256CBC-HS512' },
  } as const
  const { plain, sealed } = sealedLikeAToken(former)
  expect(await openDatabaseKey(context, sealed)).toBe(plain)
})

/** A keystore whose one key for encryption is used with `alg`. */
const using = (alg: EncryptionAlg, key = keystore.encryptionKey): Keystore => {
  const encryptionKey: KeyPair = { ...key, alg }
  return createKeystore(keySet(keystore.signingKey, encryptionKey))
}

const ECDH = ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW'] as const
test.each(ECDH.flatMap((from) => ECDH.map((to) => [from, to] as const)))(
  'a key of the first version, sealed with %s, can be opened if the server now uses %s',
  async (from, to) => {
    const former = {
      ...context,
      keystore: using(from),
      algorithms: { ...algorithms, encryptionAlg: from },
    }
    const { plain, sealed } = sealedLikeAToken(former)
    expect(decodeProtectedHeader(sealed).alg).toBe(from)
    expect(await openDatabaseKey({ ...context, keystore: using(to) }, sealed)).toBe(plain)
  },
)

test.each([
  'RSA-OAEP-256',
  'RSA-OAEP',
  'RSA1_5',
  'ECDH-ES',
  'A128KW',
  'PBES2-HS256+A128KW',
  'none',
  7,
])('a key whose header was changed to %s is damaged', async (alg) => {
  const { sealed } = createDatabaseKey(context)
  const [header = '', ...rest] = sealed.split('.')
  const changed = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), alg } as object
  const forged = Buffer.from(JSON.stringify(changed)).toString('base64url')
  await expectDamaged([forged, ...rest].join('.'))
})

/** Expects damage: neither null, which means that the key is lost, nor a temporary fault. */
const expectDamaged = (sealed: string) =>
  expect(openDatabaseKey(context, sealed)).rejects.toMatchObject({
    name: 'DamagedDatabaseKeyError',
  })

test('is unavailable while the key that it was sealed to is unknown', async () => {
  const other = await createEphemeralKeystore(algorithms)
  const { sealed } = createDatabaseKey({ ...context, keystore: other })
  await expect(openDatabaseKey(context, sealed)).rejects.toMatchObject({
    name: 'UnavailableError',
    retryAfter: 5,
  })
})

test('is null once the key that it was sealed to has been removed for good', async () => {
  const other = await createEphemeralKeystore(algorithms)
  const { sealed } = createDatabaseKey({ ...context, keystore: other })
  const { signingKey, encryptionKey } = keystore
  const set = { ...keySet(signingKey, encryptionKey), removed: [other.encryptionKey.kid] }
  expect(await openDatabaseKey({ ...context, keystore: createKeystore(set) }, sealed)).toBeNull()
})

test.each([
  ['an empty text', () => ''],
  ['garbage', () => 'a.b.c.d.e'],
  [
    'a token',
    () => {
      return seal('x', keystore.encryptionKey, algorithms.encryptionEnc, { cty: 'JWT' })
    },
  ],
  [
    'a key that was sealed to ours and changed since',
    () => {
      const { sealed } = createDatabaseKey(context)
      return sealed.replace(/.{22}$/, 'A'.repeat(22))
    },
  ],
])('%s is damaged', async (_, sealed) => {
  await expectDamaged(sealed())
})

test('a bug is not reported as damage', async () => {
  const broken: Keystore = {
    ...keystore,
    storageKey: () => {
      throw new TypeError('a bug')
    },
  }
  const { sealed } = createDatabaseKey(context)
  const opened = openDatabaseKey({ ...context, keystore: broken }, sealed)
  await expect(opened).rejects.toThrow(TypeError)
})

describe('a stored key that is sealed again', () => {
  let former: TokenContext
  /** Keys after a rotation, with a next one. */
  let now: TokenContext
  let nextKey: KeyPair
  beforeAll(async () => {
    former = { ...context, keystore: await createEphemeralKeystore(algorithms) }
    nextKey = await generateKeyPair('enc', algorithms)
    const enc = ring(keystore.encryptionKey, {
      next: nextKey,
      previous: [former.keystore.encryptionKey],
    })
    now = { ...context, keystore: createKeystore(keySet(keystore.signingKey, enc)) }
  })

  test('moves from a previous key to the current one', async () => {
    const { plain, sealed } = createDatabaseKey(former)
    const moved = await resealDatabaseKey(now, sealed)
    expect(decodeProtectedHeader(moved!).kid).toBe(keystore.encryptionKey.kid)
    expect(await openDatabaseKey(now, moved!)).toBe(plain)
  })

  const sealedTo = (encryptionKey: KeyPair) => {
    const { signingKey } = keystore
    const sealer = { ...context, keystore: createKeystore(keySet(signingKey, encryptionKey)) }
    return createDatabaseKey(sealer).sealed
  }
  test.each<[string, () => Promise<string> | string]>([
    ['the current key', () => sealedTo(keystore.encryptionKey)],
    ['the next key, which another server uses already', () => sealedTo(nextKey)],
    ['an unknown key', async () => sealedTo(await generateKeyPair('enc', algorithms))],
    [
      'a previous key, and damaged',
      () => createDatabaseKey(former).sealed.replace(/.{22}$/, 'A'.repeat(22)),
    ],
    ['no key at all', () => 'garbage'],
  ])('stays as it is if it is sealed to %s', async (_, make) => {
    expect(await resealDatabaseKey(now, await make())).toBeUndefined()
  })
})
