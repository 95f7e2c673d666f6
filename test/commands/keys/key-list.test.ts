import { beforeEach, expect, test } from '@jest/globals'
import { join } from 'node:path'
import { utimes } from 'node:fs/promises'
import type { Algorithms } from '../../../protocol/algorithms.ts'
import {
  generateKeys,
  pruneKeys,
  rotateKeys,
} from '../../../server/commands/keys/folder-changes.ts'
import { readRecords } from '../../../server/keystore/key-records.ts'
import {
  describeKeys,
  keyTable,
  type KeyDescription,
} from '../../../server/commands/keys/key-list.ts'
import { loadKeys } from '../../../server/keystore/key-set.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'
import {
  DEFAULTS,
  ecKey,
  emptyFolder,
  fill,
  MODERN,
  pkcs8,
  rsaKey,
} from '../../keystore/fixtures.ts'

let path: string
beforeEach(async () => {
  path = await emptyFolder()
})
const folder = (algorithms = DEFAULTS, passphrase?: string) => ({
  path,
  passphrase,
  algorithms,
  scryptCost: CHEAP_SCRYPT,
})

test('lists every key by use and state, the newest first', async () => {
  await generateKeys(folder(DEFAULTS, 'x'))
  const now = Date.parse('2027-01-02T03:04:05.000Z')
  await rotateKeys(folder(DEFAULTS, 'x'), now, 1000)
  await rotateKeys(folder(DEFAULTS, 'x'), now + 1, 1000)
  await rotateKeys(folder(DEFAULTS, 'x'), now + 2, 1000)
  const keys = await describeKeys(folder(DEFAULTS, 'x'))
  const { sig, enc } = await loadKeys(folder(DEFAULTS, 'x'))
  const records = await readRecords(path)
  expect(keys.map(({ use, state }) => `${use} ${state}`)).toEqual(
    ['sig', 'enc'].flatMap((use) => [
      `${use} current`,
      `${use} next`,
      ...Array<string>(3).fill(`${use} previous`),
    ]),
  )
  expect(keys[0]).toEqual({
    kid: sig.current.kid,
    use: 'sig',
    alg: 'ES256',
    crv: 'P-256',
    state: 'current',
    file: join(path, 'sig.key'),
    retires: null,
    encrypted: true,
    warnings: [],
    created: records[sig.current.kid]!.created,
  })
  expect(keys[5]).toMatchObject({ kid: enc.current.kid, alg: 'ECDH-ES+A128KW' })
  const created = keys.slice(2, 5).map((key) => key.created)
  expect(created).toEqual([...created].sort().reverse())
  expect(keys.slice(2, 5).map(({ retires }) => retires)).not.toContain(null)
})

test('lists retired keys until they are pruned', async () => {
  await generateKeys(folder())
  await rotateKeys(folder(), Date.now() - 2000, 1000)
  const retired = () => describeKeys(folder()).then((keys) => keys.filter((key) => key.retires))
  expect((await retired()).map(({ state }) => state)).toEqual(['previous', 'previous'])
  await pruneKeys(folder(), Date.now())
  expect(await retired()).toEqual([])
})

test('lists a key with the algorithm that it was made for', async () => {
  const renamed: Algorithms = { ...MODERN, signingAlg: 'Ed25519' }
  await generateKeys(folder(MODERN))
  await rotateKeys(folder(renamed), Date.now(), 1000)
  const keys = await describeKeys(folder(renamed))
  expect(keys.map(({ crv }) => crv)).toEqual(
    ['Ed25519', 'X25519'].flatMap((crv) => Array<string>(3).fill(crv)),
  )
  expect(keys.filter(({ use }) => use === 'sig').map(({ state, alg }) => [state, alg])).toEqual([
    ['current', 'Ed25519'],
    ['next', 'Ed25519'],
    ['previous', 'EdDSA'],
  ])
})

test("lists a user's own keys by their file dates and key types", async () => {
  await fill(path, { 'sig.key': pkcs8(ecKey('P-521')), 'enc.key': pkcs8(rsaKey()) })
  const written = new Date('2026-01-02T03:04:05Z')
  await utimes(join(path, 'sig.key'), written, written)
  const [sig] = await describeKeys(folder(MODERN))
  expect(sig).toMatchObject({ alg: 'ES512', created: written.toISOString(), retires: null })
  expect(sig!.warnings).toHaveLength(1)
})

test("lists a user's own RSA encryption key with an RSA algorithm", async () => {
  await fill(path, { 'sig.key': pkcs8(ecKey()), 'enc.key': pkcs8(rsaKey()) })
  expect((await describeKeys(folder()))[1]).toMatchObject({
    use: 'enc',
    alg: 'RSA-OAEP-256',
    crv: null,
  })
})

const key: KeyDescription = {
  kid: 'k',
  use: 'sig',
  alg: 'ES256',
  crv: 'P-256',
  state: 'previous',
  encrypted: true,
  file: '/f/sig.k.key',
  created: '2026-01-02T03:04:05.678Z',
  retires: '2026-02-03T04:05:06.789Z',
  warnings: ['W.'],
}

test('the table has aligned columns, with warnings below', () => {
  const current: KeyDescription = {
    ...key,
    kid: 'longer',
    file: '/f/sig.key',
    crv: null,
    state: 'current',
    retires: null,
    warnings: [],
  }
  expect(keyTable([key, current])).toEqual([
    'kid     use  algorithm  curve  state     created           retires           file',
    'k       sig  ES256      P-256  previous  2026-01-02 03:04  2026-02-03 04:05  sig.k.key',
    'longer  sig  ES256      -      current   2026-01-02 03:04  -                 sig.key',
    'Warning: W.',
  ])
})

test('an empty table says that there are no keys', () => {
  expect(keyTable([])).toEqual(['There are no keys.'])
})
