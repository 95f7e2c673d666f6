import { beforeEach, expect, test } from '@jest/globals'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeys, rotateKeys } from '../../server/commands/keys/folder-changes.ts'
import { formatRecords, readRecords } from '../../server/keystore/key-records.ts'
import { loadKeys } from '../../server/keystore/key-set.ts'
import { DEFAULTS, emptyFolder, fill, problemsOf } from './fixtures.ts'

let path: string
beforeEach(async () => {
  path = await emptyFolder()
})

test('a folder without records has none', async () => {
  expect(await readRecords(path)).toEqual({})
  expect(await readRecords(join(path, 'missing'))).toEqual({})
})

test('records are read as they were written', async () => {
  const records = {
    one: { alg: 'ES256', created: '2026-01-02T03:04:05.000Z' },
    other: {
      alg: 'RSA-OAEP-256',
      created: '2026-01-02T03:04:05.000Z',
      current_since: '2026-01-12T03:04:05.000Z',
      retires: '2026-02-02T03:04:05.000Z',
      removed: '2026-03-02T03:04:05.000Z',
    },
  } as const
  await fill(path, { 'keys.json': formatRecords(records) })
  expect(await readRecords(path)).toEqual(records)
})

const good = { alg: 'ES256', created: '2026-01-02T03:04:05.000Z' }
test.each<[string, string]>([
  ['empty', ''],
  ['not JSON', '{"a":'],
  ['a list', '[]'],
  ['null', 'null'],
  ['an unknown algorithm', JSON.stringify({ a: { ...good, alg: 'none' } })],
  ['a symmetric algorithm', JSON.stringify({ a: { ...good, alg: 'HS256' } })],
  ['no algorithm', JSON.stringify({ a: { created: good.created } })],
  ['an invalid creation time', JSON.stringify({ a: { ...good, created: 'yesterday' } })],
  ['an invalid promotion time', JSON.stringify({ a: { ...good, current_since: 'then' } })],
  ['an invalid retirement time', JSON.stringify({ a: { ...good, retires: 1 } })],
  ['an invalid removal time', JSON.stringify({ a: { ...good, removed: true } })],
])('damaged records stop the boot and a rotation with one sentence: %s', async (_name, text) => {
  const folder = { path, passphrase: undefined, algorithms: DEFAULTS }
  await generateKeys(folder)
  await fill(path, { 'keys.json': text })
  const sentence = `${join(path, 'keys.json')} is damaged. Restore it from your backup. Without a backup, delete it: keys are then as old as their files.`
  expect(await problemsOf(loadKeys(folder))).toEqual([sentence])
  // A rotation does not replace them silently.
  expect(await problemsOf(rotateKeys(folder, Date.now(), 1000))).toEqual([sentence])
  expect(await readFile(join(path, 'keys.json'), 'utf8')).toBe(text)
})

test('records that cannot be read stop the boot, and a rotation, with one sentence', async () => {
  const folder = { path, passphrase: undefined, algorithms: DEFAULTS }
  await generateKeys(folder)
  await rm(join(path, 'keys.json'))
  await mkdir(join(path, 'keys.json'))
  for (const work of [loadKeys(folder), rotateKeys(folder, Date.now(), 1000)]) {
    expect(await problemsOf(work)).toEqual([
      `${join(path, 'keys.json')} cannot be read (EISDIR). Check its owner and its permissions.`,
    ])
  }
})

test('nothing secret is recorded', async () => {
  await generateKeys({ path, passphrase: 'my passphrase', algorithms: DEFAULTS })
  const records = Object.values(await readRecords(path))
  expect(records.flatMap((record) => Object.keys(record))).toEqual(
    Array(4).fill(['alg', 'created']).flat(),
  )
})
