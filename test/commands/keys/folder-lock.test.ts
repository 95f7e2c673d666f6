import { beforeEach, expect, test } from '@jest/globals'
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { withFolderLock } from '../../../server/commands/keys/folder-lock.ts'
import { deadPid, emptyFolder, problemsOf } from '../../keystore/fixtures.ts'

let folder: string
let lock: string
beforeEach(async () => {
  folder = await emptyFolder()
  lock = join(folder, '.lock')
})

const done = () => Promise.resolve('done')

test('the lock is there while the work is done, for its owner alone, and gone after', async () => {
  const result = await withFolderLock(folder, async () => {
    expect(await readFile(lock, 'utf8')).toBe(`${hostname()} ${process.pid}`)
    if (process.platform !== 'win32') expect((await stat(lock)).mode & 0o777).toBe(0o600)
    return 'done'
  })
  expect(result).toBe('done')
  expect(await readdir(folder)).toEqual([])
})

test('the lock is released after a failure, and the failure is reported', async () => {
  const error = new Error('failed')
  await expect(withFolderLock(folder, () => Promise.reject(error))).rejects.toBe(error)
  expect(await readdir(folder)).toEqual([])
})

test('a lock can be taken again', async () => {
  await withFolderLock(folder, done)
  expect(await withFolderLock(folder, done)).toBe('done')
})

test.each<[string, () => string]>([
  ['this process', () => `${hostname()} ${process.pid}`],
  ['another live process', () => `${hostname()} ${process.ppid}`],
  ['another machine, whose processes nobody can see', () => `another.test ${deadPid()}`],
])('a lock of %s is respected and left alone', async (_name, owner) => {
  await writeFile(lock, owner())
  let worked = false
  const problems = await problemsOf(withFolderLock(folder, () => Promise.resolve((worked = true))))
  expect(problems).toEqual([
    `Another command is changing ${folder}. Wait until it has finished. If no command is running, delete ${lock}.`,
  ])
  expect(worked).toBe(false)
  expect(await readFile(lock, 'utf8')).toBe(owner())
})

// Process 1 is always alive, and nobody but root may signal it.
const unix = process.platform === 'win32' ? [] : [`${hostname()} 1`]
test.each(unix)('a lock of a live process of another user is respected (%s)', async (owner) => {
  await writeFile(lock, owner)
  expect(await problemsOf(withFolderLock(folder, done))).toHaveLength(1)
})

test.each<[string, () => string]>([
  ['a process that has died', () => `${hostname()} ${deadPid()}`],
  ['nobody: its process died before it wrote its name', () => ''],
])('a lock of %s is taken over', async (_name, owner) => {
  await writeFile(lock, owner())
  const result = await withFolderLock(folder, async () => {
    expect(await readFile(lock, 'utf8')).toBe(`${hostname()} ${process.pid}`)
    return 'done'
  })
  expect(result).toBe('done')
  expect(await readdir(folder)).toEqual([])
})

test('a takeover that died in the middle is cleared away once it is a while ago', async () => {
  await writeFile(lock, `${hostname()} ${deadPid()}`)
  const guard = join(folder, '.lock-takeover')
  await mkdir(guard)
  await expect(withFolderLock(folder, done)).rejects.toThrow()
  const longAgo = Date.now() / 1000 - 60
  await utimes(guard, longAgo, longAgo)
  // The first who comes removes it, and the next takes the lock over.
  await withFolderLock(folder, done).catch(() => undefined)
  await withFolderLock(folder, done)
  expect(await readdir(folder)).toEqual([])
})

test.each<[string, () => string | undefined]>([
  ['free', () => undefined],
  ['left by a process that has died', () => `${hostname()} ${deadPid()}`],
])('of many who want a lock that is %s at once, never two have it', async (_name, owner) => {
  let most = 0
  for (let round = 0; round < 100; round++) {
    const folder = await emptyFolder()
    const left = owner()
    if (left !== undefined) await writeFile(join(folder, '.lock'), left)
    let inside = 0
    const work = async () => {
      most = Math.max(most, ++inside)
      for (let turn = 0; turn < 20; turn++) await setImmediate()
      inside--
    }
    const tries = Array.from({ length: 8 }, () => withFolderLock(folder, work))
    const results = await Promise.allSettled(tries)
    expect(results.some(({ status }) => status === 'fulfilled')).toBe(true)
  }
  expect(most).toBe(1)
})

test('a missing folder cannot be changed', async () => {
  const work = withFolderLock(join(folder, 'missing'), done)
  await expect(work).rejects.toMatchObject({ problems: [expect.stringContaining('ENOENT')] })
})
