import { beforeEach, describe, expect, test } from '@jest/globals'
import { chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commitChanges, recover } from '../../../server/commands/keys/commit-changes.ts'
import { emptyFolder, fill } from '../../keystore/fixtures.ts'

const BEFORE = { 'sig.key': 'old sig', 'enc.key': 'old enc', 'previous.key': 'gone soon' }
const CHANGES = { 'sig.key': 'new sig', 'enc.key': 'new enc', 'previous.key': null }
const AFTER = { 'sig.key': 'new sig', 'enc.key': 'new enc' }
const MANIFEST = JSON.stringify({ write: ['sig.key', 'enc.key'], remove: ['previous.key'] })

let folder: string
beforeEach(async () => {
  folder = await emptyFolder()
  await fill(folder, BEFORE)
})

/** Every file of the folder, with subfolders, empty ones too. */
async function contents(path = folder): Promise<Record<string, unknown>> {
  const entries = await readdir(path, { withFileTypes: true })
  return Object.fromEntries(
    await Promise.all(
      entries.map(async (entry) => {
        const child = join(path, entry.name)
        const value = entry.isDirectory() ? contents(child) : readFile(child, 'utf8')
        return [entry.name, await value] as const
      }),
    ),
  )
}

/** Puts files into a subfolder, as an interrupted change leaves it. */
async function leave(subfolder: string, files: Record<string, string>): Promise<void> {
  await mkdir(join(folder, subfolder))
  await fill(join(folder, subfolder), files)
}

test('a change writes, replaces and removes, and leaves nothing else', async () => {
  await commitChanges(folder, { ...CHANGES, 'next.key': 'new' })
  expect(await contents()).toEqual({ ...AFTER, 'next.key': 'new' })
})

test('a change leaves the files alone that it does not name', async () => {
  await commitChanges(folder, { 'sig.key': 'new sig' })
  expect(await contents()).toEqual({ ...BEFORE, 'sig.key': 'new sig' })
})

test('new files belong to the owner of the folder, even if root writes them', async () => {
  if (process.getuid?.() === 0) await chown(folder, 12_345, 23_456)
  const { uid, gid } = await stat(folder)
  await commitChanges(folder, { 'sig.key': 'new sig', 'keys.json': '{}' })
  for (const name of ['sig.key', 'keys.json']) {
    expect(await stat(join(folder, name))).toMatchObject({ uid, gid })
  }
})

test('removing a missing file is not an error', async () => {
  await commitChanges(folder, { 'unknown.key': null })
  expect(await contents()).toEqual(BEFORE)
})

test('an empty file can be written', async () => {
  await commitChanges(folder, { 'sig.key': '' })
  expect((await contents())['sig.key']).toBe('')
})

test('a written file is private, whatever its mode was', async () => {
  await rm(join(folder, 'sig.key'))
  await writeFile(join(folder, 'sig.key'), 'old', { mode: 0o644 })
  await commitChanges(folder, CHANGES)
  if (process.platform === 'win32') return
  expect((await stat(join(folder, 'sig.key'))).mode & 0o777).toBe(0o600)
})

describe('a change that was interrupted before its commit is undone:', () => {
  test.each<[string, Record<string, string>]>([
    ['before anything was written', {}],
    ['during the first file', { 'sig.key': 'new' }],
    ['before the manifest', { 'sig.key': 'new sig', 'enc.key': 'new enc' }],
    [
      'during the manifest',
      { 'sig.key': 'new sig', 'enc.key': 'new enc', 'manifest.json': '{"wr' },
    ],
    [
      'just before the commit',
      { 'sig.key': 'new sig', 'enc.key': 'new enc', 'manifest.json': MANIFEST },
    ],
  ])('%s', async (_name, files) => {
    await leave('.staged-1', files)
    await leave('.staged-2', files)
    await recover(folder)
    expect(await contents()).toEqual(BEFORE)
  })
})

describe('a change that was interrupted after its commit is finished:', () => {
  const staged = { 'sig.key': 'new sig', 'enc.key': 'new enc', 'manifest.json': MANIFEST }
  const moved = (...names: (keyof typeof AFTER)[]) => ({
    committed: Object.fromEntries(
      Object.entries(staged).filter(([name]) => !(names as string[]).includes(name)),
    ),
    folder: Object.fromEntries(names.map((name) => [name, AFTER[name]])),
  })
  const STATES = [
    ['before the first file was moved', moved(), []],
    ['after the first file', moved('sig.key'), []],
    ['after only the second file', moved('enc.key'), []],
    ['after all files', moved('sig.key', 'enc.key'), []],
    ['after the removal', moved('sig.key', 'enc.key'), ['previous.key']],
    ['after the manifest was removed', { committed: {}, folder: AFTER }, ['previous.key']],
  ] as const

  async function arrange(state: (typeof STATES)[number][1], removed: readonly string[]) {
    await leave('.commit', state.committed)
    await fill(folder, state.folder)
    for (const name of removed) await rm(join(folder, name))
  }

  test.each(STATES)('%s', async (_name, state, removed) => {
    await arrange(state, removed)
    await recover(folder)
    expect(await contents()).toEqual(AFTER)
  })

  test.each(STATES)('%s, with several processes recovering', async (_name, state, removed) => {
    await arrange(state, removed)
    await Promise.all(Array.from({ length: 5 }, () => recover(folder)))
    expect(await contents()).toEqual(AFTER)
  })

  test('before the next change is made', async () => {
    await arrange(moved('sig.key'), [])
    await commitChanges(folder, { 'next.key': 'next' })
    expect(await contents()).toEqual({ ...AFTER, 'next.key': 'next' })
  })

  test('and an uncommitted change beside it is removed', async () => {
    await arrange(moved(), [])
    await leave('.staged-1', { 'sig.key': 'newer sig' })
    await recover(folder)
    expect(await contents()).toEqual(AFTER)
  })
})

test('an empty commit folder is removed', async () => {
  await leave('.commit', {})
  await recover(folder)
  expect(await contents()).toEqual(BEFORE)
})

test('recovering twice has the effect of recovering once', async () => {
  await leave('.commit', { 'sig.key': 'new sig', 'enc.key': 'new enc', 'manifest.json': MANIFEST })
  await recover(folder)
  await recover(folder)
  expect(await contents()).toEqual(AFTER)
})

test('a folder without an interrupted change is not touched', async () => {
  await recover(folder)
  expect(await contents()).toEqual(BEFORE)
})

test('a damaged manifest is reported, and nothing is changed', async () => {
  const damaged = { 'sig.key': 'new sig', 'manifest.json': '{"write":"sig.key"}' }
  await leave('.commit', damaged)
  await expect(recover(folder)).rejects.toMatchObject({ name: 'ZodError' })
  expect(await contents()).toEqual({ ...BEFORE, '.commit': damaged })
})

test.each(['../outside', '..', '.lock', 'a/b', '/tmp/x', '', '.commit'])(
  'a manifest that names %j is refused, and nothing is changed',
  async (name) => {
    for (const list of [
      { write: ['sig.key', name], remove: [] },
      { write: ['sig.key'], remove: [name] },
    ]) {
      const files = { 'sig.key': 'new sig', 'manifest.json': JSON.stringify(list) }
      await leave('.commit', files)
      await expect(recover(folder)).rejects.toMatchObject({ name: 'ZodError' })
      expect(await contents()).toEqual({ ...BEFORE, '.commit': files })
      await rm(join(folder, '.commit'), { recursive: true })
    }
  },
)

test('a manifest with a unique name is read', async () => {
  const name = 'manifest-0f3b3a2e-6d0e-4b62-9d2a-3a6f6f6b7a11.json'
  await leave('.commit', { 'sig.key': 'new sig', 'enc.key': 'new enc', [name]: MANIFEST })
  await recover(folder)
  expect(await contents()).toEqual(AFTER)
})

test('a file that cannot be moved into place is reported', async () => {
  await leave('.commit', { 'sig.key': 'new sig', 'manifest.json': MANIFEST })
  await rm(join(folder, 'sig.key'))
  await mkdir(join(folder, 'sig.key'))
  await expect(recover(folder)).rejects.toHaveProperty('code')
})

test('a missing folder is reported', async () => {
  await expect(recover(join(folder, 'missing'))).rejects.toMatchObject({ code: 'ENOENT' })
})
