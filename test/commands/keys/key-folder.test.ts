import { beforeEach, expect, test } from '@jest/globals'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hasKeys, isProtected } from '../../../server/commands/keys/key-folder.ts'
import { ecKey, emptyFolder, fill, pkcs8 } from '../../keystore/fixtures.ts'

let path: string
beforeEach(async () => {
  path = await emptyFolder()
})

test('a folder has keys if it has a key file or an interrupted change', async () => {
  expect(await hasKeys(join(path, 'missing'))).toBe(false)
  await fill(path, { 'notes.txt': 'x', 'keys.json': '{}' })
  expect(await hasKeys(path)).toBe(false)
  await mkdir(join(path, '.commit'))
  expect(await hasKeys(path)).toBe(true)
  await rm(join(path, '.commit'), { recursive: true })
  await fill(path, { 'enc.next.key': 'x' })
  expect(await hasKeys(path)).toBe(true)
})

test('a folder is protected if any of its keys is', async () => {
  expect(await isProtected(join(path, 'missing'))).toBe(false)
  await fill(path, { 'sig.key': pkcs8(ecKey()), 'enc.key': 'x' })
  await mkdir(join(path, 'enc.next.key'))
  expect(await isProtected(path)).toBe(false)
  await fill(path, { 'enc.key': pkcs8(ecKey(), 'x') })
  expect(await isProtected(path)).toBe(true)
})
