import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Algorithms } from '../../../protocol/algorithms.ts'
import { generateKeys, rotateKeys } from '../../../server/commands/keys/folder-changes.ts'
import { recordSigningKey } from '../../../server/commands/keys/record-signing-key.ts'
import { fingerprint } from '../../../server/keystore/folder.ts'
import { readRecords } from '../../../server/keystore/key-records.ts'
import { loadKeys } from '../../../server/keystore/key-set.ts'
import { openKeystore } from '../../../server/keystore/open-keystore.ts'
import {
  DEFAULTS,
  ecKey,
  emptyFolder,
  fill,
  pkcs8,
  problemsOf,
  rsaKey,
} from '../../keystore/fixtures.ts'

const NOW = Date.parse('2126-05-01T12:00:00.000Z')

let path: string
beforeEach(async () => {
  path = await emptyFolder()
})
afterEach(() => rm(path, { recursive: true, force: true }))

const algorithmsFor = (signingAlg: Algorithms['signingAlg']) => ({ ...DEFAULTS, signingAlg })
const folder = (algorithms: Algorithms) => ({ path, passphrase: undefined, algorithms })
const start = (algorithms: Algorithms) =>
  openKeystore(
    { preserveSessions: true, keysDir: path, privateKeyPassphrase: undefined, algorithms },
    recordSigningKey,
  )
const bring = (key: KeyObject) => fill(path, { 'sig.key': pkcs8(key), 'enc.key': pkcs8(ecKey()) })
const ed25519 = () => generateKeyPairSync('ed25519').privateKey

test.each<[Algorithms['signingAlg'], Algorithms['signingAlg'], () => KeyObject]>([
  ['EdDSA', 'Ed25519', ed25519],
  ['Ed25519', 'EdDSA', ed25519],
  ['PS256', 'RS256', rsaKey],
])(
  "a user's own key for %s keeps that algorithm when the configuration says %s",
  async (own, other, make) => {
    await bring(make())
    const { keystore } = await start(algorithmsFor(own))
    expect(keystore.signingKey.alg).toBe(own)

    const [problem] = await problemsOf(start(algorithmsFor(other)))
    expect(problem).toMatch(`was made for ${own}, but the configuration says`)
    expect(problem).toMatch('npm run keys -- rotate')
    await rotateKeys(folder(algorithmsFor(other)), NOW, 1000)
    const { sig } = await loadKeys(folder(algorithmsFor(other)))
    expect(sig.current.alg).toBe(other)
    expect(sig.previous).toMatchObject([{ kid: keystore.signingKey.kid, alg: own }])
  },
)

test("the record keeps the key's age, and the folder is not reloaded for it", async () => {
  await bring(ed25519())
  const written = new Date('2026-01-02T03:04:05.000Z')
  await utimes(join(path, 'sig.key'), written, written)
  const opened = await start(algorithmsFor('EdDSA'))
  expect(opened.source?.fingerprint).toBe(await fingerprint(path))
  const record = (await readRecords(path))[opened.keystore.signingKey.kid]
  expect(record).toEqual({ alg: 'EdDSA', created: written.toISOString() })
})

test('a key whose type has only one algorithm needs no record', async () => {
  await bring(ecKey())
  await start(DEFAULTS)
  expect((await readdir(path)).sort()).toEqual(['enc.key', 'sig.key'])
})

test('a key that has a record is left alone', async () => {
  await generateKeys(folder(algorithmsFor('EdDSA')))
  const before = await stat(join(path, 'keys.json'))
  await start(algorithmsFor('EdDSA'))
  expect((await stat(join(path, 'keys.json'))).mtimeMs).toBe(before.mtimeMs)
})

test('a folder that cannot be changed is used, with a warning', async () => {
  await bring(ed25519())
  await writeFile(join(path, '.lock'), `${hostname()} ${process.pid}`)
  const { keystore, warnings } = await start(algorithmsFor('EdDSA'))
  expect(keystore.signingKey.alg).toBe('EdDSA')
  expect(warnings.at(-1)).toMatch(
    /^Another command is changing .* TOKEN_SIGNING_ALG to Ed25519 signs everybody out\.$/,
  )
  expect(await readRecords(path)).toEqual({})
})
