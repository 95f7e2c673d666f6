import { beforeEach, expect, test } from '@jest/globals'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
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

test('a lock file exists during the work, accessible only to its owner, and is removed afterwards', async () => {
  const result = await withFolderLock(folder, async () => {
    expect(await readFile(lock, 'utf8')).toBe(`${hostname()} ${process.pid}`)
    if (process.platform !== 'win32') expect((await stat(lock)).mode & 0o777).toBe(0o600)
    return 'done'
  })
  expect(result).toBe('done')
  expect(await readdir(folder)).toEqual([])
})

test('the lock is released after a failure, and the failure is thrown', async () => {
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
  ['a process on another machine', () => `another.test ${deadPid()}`],
])('a lock of %s is respected', async (_name, owner) => {
  await writeFile(lock, owner())
  let worked = false
  const problems = await problemsOf(withFolderLock(folder, () => Promise.resolve((worked = true))))
  expect(problems).toEqual([
    `Another command is changing ${folder}. Wait until it has finished. If no command is running, delete ${lock}.`,
  ])
  expect(worked).toBe(false)
  expect(await readFile(lock, 'utf8')).toBe(owner())
})

// Process 1 is always alive, and only root may signal it.
const unix = process.platform === 'win32' ? [] : [`${hostname()} 1`]
test.each(unix)("a lock of another user's live process is respected (%s)", async (owner) => {
  await writeFile(lock, owner)
  expect(await problemsOf(withFolderLock(folder, done))).toHaveLength(1)
})

test.each<[string, () => string]>([
  ['a dead process', () => `${hostname()} ${deadPid()}`],
  ['a process that died before it wrote its pid', () => ''],
])('a lock of %s is taken over', async (_name, owner) => {
  await writeFile(lock, owner())
  const result = await withFolderLock(folder, async () => {
    expect(await readFile(lock, 'utf8')).toBe(`${hostname()} ${process.pid}`)
    return 'done'
  })
  expect(result).toBe('done')
  expect(await readdir(folder)).toEqual([])
})

test('an interrupted takeover is cleared after a minute', async () => {
  await writeFile(lock, `${hostname()} ${deadPid()}`)
  const guard = join(folder, '.lock-takeover')
  await mkdir(guard)
  await expect(withFolderLock(folder, done)).rejects.toThrow()
  const longAgo = Date.now() / 1000 - 60
  await utimes(guard, longAgo, longAgo)
  // The first command removes it, and the next one takes the lock over.
  await withFolderLock(folder, done).catch(() => undefined)
  await withFolderLock(folder, done)
  expect(await readdir(folder)).toEqual([])
})

test.each<[string, () => string | undefined]>([
  ['free', () => undefined],
  ['left by a dead process', () => `${hostname()} ${deadPid()}`],
])('at most one of many processes gets a lock that is %s', async (_name, owner) => {
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

test('a lock that a third process takes, while the second finds the first gone, is respected', async () => {
  const third = `${hostname()} ${process.ppid}`
  for (let round = 0; round < 100; round++) {
    const folder = await emptyFolder()
    const lock = join(folder, '.lock')
    writeFileSync(lock, `${hostname()} ${process.pid}`)
    let worked = false
    const second = withFolderLock(folder, () => Promise.resolve((worked = true)))
    const settled = second.catch(() => undefined)
    // The second process is about to read whose lock it is.
    while (!existsSync(join(folder, '.lock-takeover'))) await setImmediate()
    rmSync(lock)
    for (let turn = 0; turn < round % 5; turn++) await setImmediate()
    try {
      writeFileSync(lock, third, { flag: 'wx' })
    } catch {
      // The second process has taken it already.
      await settled
      continue
    }
    await settled
    expect(worked).toBe(false)
    expect(await readFile(lock, 'utf8')).toBe(third)
  }
})

test('a lock that is released before the second process reads it is taken', async () => {
  let taken = 0
  // The second process may read it sooner, and is refused then.
  for (let round = 0; round < 500 && taken === 0; round++) {
    const folder = await emptyFolder()
    const lock = join(folder, '.lock')
    writeFileSync(lock, `${hostname()} ${process.pid}`)
    const second = withFolderLock(folder, () => Promise.resolve(taken++))
    const settled = second.catch(() => undefined)
    while (!existsSync(join(folder, '.lock-takeover'))) await setImmediate()
    rmSync(lock)
    await settled
  }
  expect(taken).toBe(1)
})

test('a missing folder is reported', async () => {
  const work = withFolderLock(join(folder, 'missing'), done)
  await expect(work).rejects.toMatchObject({ problems: [expect.stringContaining('ENOENT')] })
})
