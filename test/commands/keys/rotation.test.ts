/** A rotation that is interrupted at each of its steps. */
import { beforeEach, describe, expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { generateKeys, rotateKeys } from '../../../server/commands/keys/folder-changes.ts'
import { finishCommit } from '../../../server/keystore/folder-transaction.ts'
import { readFolder, type KeyFolder } from '../../../server/keystore/folder.ts'
import { loadKeys } from '../../../server/keystore/key-set.ts'
import { deadPid, DEFAULTS, emptyFolder } from '../../keystore/fixtures.ts'

const toFolder = (path: string): KeyFolder => ({
  path,
  passphrase: undefined,
  algorithms: DEFAULTS,
})
const kids = async (path: string) => {
  const { keys } = await readFolder(toFolder(path))
  return Object.fromEntries(keys.map(({ name, kid }) => [name, kid]))
}
const contents = async (path: string) =>
  new Map(
    await Promise.all(
      (await readdir(path)).map(
        async (name) => [name, await readFile(join(path, name), 'utf8')] as const,
      ),
    ),
  )

/** The folder before and after a rotation that also removes two keys, and the changed files. */
let before: string
let after: string
let write: string[]
let remove: string[]
beforeEach(async () => {
  before = await emptyFolder()
  await generateKeys(toFolder(before))
  await rotateKeys(toFolder(before), Date.now() - 2000, 1000)
  after = await emptyFolder()
  await cp(before, after, { recursive: true })
  await rotateKeys(toFolder(after), Date.now(), 1000)
  const [old, now] = [await contents(before), await contents(after)]
  write = [...now.keys()].filter((name) => now.get(name) !== old.get(name))
  remove = [...old.keys()].filter((name) => !now.has(name))
})

/** A folder as it is when `staged` files were staged, `moved` were moved and `removed` were removed. */
async function cutShort(where: '.staged-x' | '.commit', staged: number, moved = 0, removed = 0) {
  const path = await emptyFolder()
  await cp(before, path, { recursive: true })
  const subfolder = join(path, where)
  await mkdir(subfolder)
  for (const name of write.slice(0, staged)) await cp(join(after, name), join(subfolder, name))
  if (staged === write.length) {
    await writeFile(join(subfolder, 'manifest.json'), JSON.stringify({ write, remove }))
  }
  for (const name of write.slice(0, moved)) await rename(join(subfolder, name), join(path, name))
  for (const name of remove.slice(0, removed)) await rm(join(path, name))
  return path
}

/** The lock that a killed command leaves. */
async function leaveLock(path: string): Promise<void> {
  await writeFile(join(path, '.lock'), `${hostname()} ${deadPid()}`)
}

async function expectNextCommandWorks(path: string): Promise<void> {
  await leaveLock(path)
  const last = await loadKeys(toFolder(path))
  await rotateKeys(toFolder(path), Date.now(), 1000)
  const next = await loadKeys(toFolder(path))
  expect([next.sig.current.kid, next.enc.current.kid]).toEqual([
    last.sig.next!.kid,
    last.enc.next!.kid,
  ])
  expect((await readdir(path)).filter((name) => name.startsWith('.'))).toEqual([])
}

test('a rotation writes seven files and removes two', () => {
  expect([...write].sort()).toEqual(
    [
      'enc.key',
      'enc.next.key',
      'keys.json',
      'sig.key',
      'sig.next.key',
      ...write.filter((name) => /^(sig|enc)\.[\w-]{43}\.key$/.test(name)),
    ].sort(),
  )
  expect([write.length, remove.length]).toEqual([7, 2])
})

describe('a rotation that is interrupted before its commit has not happened', () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7])('with %i files staged', async (staged) => {
    const path = await cutShort('.staged-x', staged)
    expect(await kids(path)).toEqual(await kids(before))
    await expectNextCommandWorks(path)
  })
})

describe('a rotation that is interrupted after its commit has happened', () => {
  const states = [
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((moved) => [moved, 0]),
    ...[1, 2].map((removed) => [7, removed]),
  ] as [number, number][]

  test.each(states)('with %i files moved and %i removed', async (moved, removed) => {
    const path = await cutShort('.commit', 7, moved, removed)
    expect(await kids(path)).toEqual(await kids(after))
    expect(await contents(path)).toEqual(await contents(after))
    await expectNextCommandWorks(path)
  })

  test('with a manifest of a unique name', async () => {
    const path = await cutShort('.commit', 7, 3)
    const named = `manifest-${randomUUID()}.json`
    await rename(join(path, '.commit', 'manifest.json'), join(path, '.commit', named))
    expect(await kids(path)).toEqual(await kids(after))
    expect(await contents(path)).toEqual(await contents(after))
    await expectNextCommandWorks(path)
  })

  test('with its manifest removed', async () => {
    const path = await cutShort('.commit', 7, 7, 2)
    await rm(join(path, '.commit', 'manifest.json'))
    expect(await kids(path)).toEqual(await kids(after))
    await expectNextCommandWorks(path)
  })

  test('for several processes that read at once', async () => {
    const path = await cutShort('.commit', 7, 3)
    const all = await Promise.all([
      ...[1, 2, 3].map(() => loadKeys(toFolder(path))),
      ...[1, 2].map(() => finishCommit(path).then(() => loadKeys(toFolder(path)))),
    ])
    const { sig } = await loadKeys(toFolder(after))
    for (const set of all) expect(set.sig.current.kid).toBe(sig.current.kid)
  })
})
