import { beforeEach, expect, test } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeys, rotateKeys } from '../../../server/commands/keys/folder-changes.ts'
import type { KeyFolder } from '../../../server/keystore/folder.ts'
import { importKey } from '../../../server/commands/keys/import-key.ts'
import { readRecords } from '../../../server/keystore/key-records.ts'
import { loadKeys } from '../../../server/keystore/key-set.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'
import {
  DEFAULTS,
  ecKey,
  emptyFolder,
  fill,
  FORMS,
  opensslPem,
  pkcs8,
  problemsOf,
  rsaKey,
} from '../../keystore/fixtures.ts'

/** Milliseconds: when a key is imported, and how long a previous one is kept. */
const NOW = Date.parse('2126-05-01T12:00:00.000Z')
const KEEP = 3_600_000
/** The path that the operator gave. */
const FILE = 'some/where/mine.pem'

let path: string
let folder: KeyFolder
beforeEach(async () => {
  path = await emptyFolder()
  folder = { path, passphrase: 'folder', algorithms: DEFAULTS, scryptCost: CHEAP_SCRYPT }
  await generateKeys(folder)
})

const importing = (pem: string, use: 'sig' | 'enc' = 'sig', passphrase?: string) =>
  importKey(folder, use, { path: FILE, pem, passphrase }, NOW)
const contents = async () =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(path)).map(async (name) => [name, await readFile(join(path, name), 'utf8')]),
    ),
  ) as Record<string, string>

test.each(FORMS.flatMap((form) => [undefined, 'its own'].map((phrase) => [form, phrase] as const)))(
  'a key (%s, passphrase %s) becomes the next key',
  async (form, passphrase) => {
    const before = await loadKeys(folder)
    const key = ecKey()
    const kid = await importing(opensslPem(key, form, passphrase), 'sig', passphrase)
    const { sig, enc, warnings } = await loadKeys(folder)
    expect(sig.next).toMatchObject({ kid, alg: 'ES256' })
    expect(sig.next!.privateKey.equals(key)).toBe(true)
    expect([sig.current.kid, enc.current.kid, enc.next!.kid]).toEqual([
      before.sig.current.kid,
      before.enc.current.kid,
      before.enc.next!.kid,
    ])
    // It is encrypted with the folder's passphrase.
    expect(warnings).toEqual([])
    const records = await readRecords(path)
    expect(records[kid]).toEqual({ alg: 'ES256', created: new Date(NOW).toISOString() })
    expect(records[before.sig.next!.kid]!.removed).toBe(new Date(NOW).toISOString())
    await rotateKeys(folder, NOW, KEEP)
    expect((await loadKeys(folder)).sig.current.kid).toBe(kid)
  },
)

const spki = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString()
const MISFIT = 'which the configuration requires. Import another key.'
const DAMAGED = 'has no private key in PEM format, or a damaged one. Nothing was changed.'
const LOCKED = 'is protected by a passphrase. Set IMPORT_PASSPHRASE.'
const WRONG =
  'cannot be decrypted with this passphrase. Set IMPORT_PASSPHRASE to the one that it was encrypted with.'
test.each<[string, () => string, string | undefined, string]>([
  [
    'on another curve',
    () => pkcs8(ecKey('P-384')),
    undefined,
    `is of type EC P-384, not EC P-256, ${MISFIT}`,
  ],
  ['of another type', () => pkcs8(rsaKey()), undefined, `is of type RSA, not EC P-256, ${MISFIT}`],
  ['that is public', () => spki, undefined, 'has a public key. Import the private key.'],
  ['that is not PEM', () => 'x', undefined, DAMAGED],
  ['that is cut short', () => pkcs8(ecKey()).slice(0, 100), undefined, DAMAGED],
  ['with an unknown passphrase', () => pkcs8(ecKey(), 'x'), undefined, LOCKED],
  ['with another passphrase', () => pkcs8(ecKey(), 'x'), 'y', WRONG],
])('a key %s is refused, with the name of its file', async (_name, pem, passphrase, sentence) => {
  const before = await contents()
  expect(await problemsOf(importing(pem(), 'sig', passphrase))).toEqual([`${FILE} ${sentence}`])
  expect(await contents()).toEqual(before)
})

test("an error about the file's passphrase names IMPORT_PASSPHRASE, not the folder's variable", async () => {
  for (const passphrase of [undefined, 'wrong']) {
    const [problem] = await problemsOf(importing(pkcs8(ecKey(), 'x'), 'sig', passphrase))
    expect(problem).not.toContain('PRIVATE_KEY_PASSPHRASE')
    expect(problem).toContain('IMPORT_PASSPHRASE')
  }
})

test('an error about a key of the wrong type does not suggest a rotation', async () => {
  const [problem] = await problemsOf(importing(pkcs8(ecKey('P-384'))))
  expect(problem).not.toContain('rotate')
})

test.each([
  ['sig.key', 'sig'],
  ['sig.next.key', 'sig'],
  ['enc.key', 'sig'],
  ['sig.key', 'enc'],
] as const)('the key of %s is refused if it is imported again for %s', async (name, use) => {
  const before = await contents()
  expect(await problemsOf(importing(before[name]!, use, 'folder'))).toEqual([
    `${FILE} has a key that is already in the folder. Import another one.`,
  ])
  expect(await contents()).toEqual(before)
})

test('a previous key is refused', async () => {
  const old = (await contents())['sig.key']!
  await rotateKeys(folder, NOW, KEEP)
  expect(await problemsOf(importing(old, 'sig', 'folder'))).toHaveLength(1)
})

test('a folder without a current key is refused', async () => {
  await rm(join(path, 'sig.key'))
  expect((await problemsOf(importing(pkcs8(ecKey()))))[0]).toMatch(/^sig\.key is missing/)
})

test('a folder with an unreadable key is refused, and nothing is changed', async () => {
  await fill(path, { 'enc.next.key': 'x' })
  const before = await contents()
  expect(await problemsOf(importing(pkcs8(ecKey())))).toEqual([
    expect.stringContaining(`${join(path, 'enc.next.key')} has no private key`),
  ])
  expect(await contents()).toEqual(before)
})
