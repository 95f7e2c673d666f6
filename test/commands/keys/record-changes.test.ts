import { beforeEach, expect, test } from '@jest/globals'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  changePassphrase,
  generateKeys,
  pruneKeys,
  revokeKeys,
  rotateKeys,
} from '../../../server/commands/keys/folder-changes.ts'
import type { KeyFolder } from '../../../server/keystore/folder.ts'
import { formatRecords, readRecords } from '../../../server/keystore/key-records.ts'
import { loadKeys } from '../../../server/keystore/key-set.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'
import { DEFAULTS, emptyFolder } from '../../keystore/fixtures.ts'

/** How long a previous key is kept, in milliseconds. */
const KEEP = 3_600_000
const DAY = 86_400_000

let path: string
let folder: KeyFolder
beforeEach(async () => {
  path = await emptyFolder()
  folder = { path, passphrase: undefined, algorithms: DEFAULTS, scryptCost: CHEAP_SCRYPT }
  await generateKeys(folder)
})

const removedKids = async () => (await loadKeys(folder)).removed
/** Makes the first encryption key a previous one, and returns its kid and file. */
async function retire() {
  const { kid } = (await loadKeys(folder)).enc.current
  await rotateKeys(folder, Date.now(), KEEP)
  const file = join(path, `enc.${kid}.key`)
  return { kid, file, pem: await readFile(file, 'utf8') }
}
const prune = () => pruneKeys(folder, Date.now() + KEEP)

test('a pruned key stays recorded as removed, whatever happens to the folder later', async () => {
  expect(await removedKids()).toEqual([])
  const { kid } = await retire()
  expect(await removedKids()).toEqual([])
  await prune()
  expect(await removedKids()).toContain(kid)
  await rotateKeys(folder, Date.now(), KEEP)
  expect(await removedKids()).toContain(kid)
  await revokeKeys(folder)
  expect(await removedKids()).toContain(kid)
  await changePassphrase(folder, 'new')
  folder = { ...folder, passphrase: 'new' }
  expect(await removedKids()).toContain(kid)

  await mkdir(join(path, 'away'))
  const files = (await readdir(path)).filter((name) => name.endsWith('.key'))
  for (const name of files) await rename(join(path, name), join(path, 'away', name))
  await generateKeys(folder)
  expect(await removedKids()).toContain(kid)
})

test('a key whose file was moved away is not recorded as removed', async () => {
  const { kid, file } = await retire()
  await rename(file, join(path, 'backup'))
  expect(await removedKids()).not.toContain(kid)
  await rotateKeys(folder, Date.now(), KEEP)
  expect(await removedKids()).not.toContain(kid)
})

test('a key that was restored from a backup is back, and can be pruned again', async () => {
  const { kid, file, pem } = await retire()
  await prune()
  await writeFile(file, pem, { mode: 0o600 })
  expect(await removedKids()).not.toContain(kid)
  await changePassphrase(folder, 'new')
  folder = { ...folder, passphrase: 'new' }
  expect((await readRecords(path))[kid]).toMatchObject({ retires: expect.any(String) })
  expect((await readRecords(path))[kid]!.removed).toBeUndefined()
  await prune()
  expect(await removedKids()).toContain(kid)
})

test('a removal is forgotten after two years', async () => {
  const { kid } = await retire()
  await prune()
  const records = await readRecords(path)
  const since = (days: number) => new Date(Date.now() - days * DAY).toISOString()
  for (const [days, isKnown] of [
    [729, true],
    [731, false],
  ] as const) {
    const changed = { ...records, [kid]: { ...records[kid]!, removed: since(days) } }
    await writeFile(join(path, 'keys.json'), formatRecords(changed))
    await rotateKeys(folder, Date.now(), KEEP)
    expect((await removedKids()).includes(kid)).toBe(isKnown)
  }
})
