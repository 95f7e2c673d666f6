import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TakeLock } from '../../server/database/server-lock.ts'
import { takeSqliteLock } from '../../server/database/sqlite-lock.ts'
import { freePort, killAll, run } from '../support/process.ts'
import { behavesAsALock } from './lock-behaviour.ts'

let folder: string
let location: string
let takeLock: TakeLock
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'))
  location = join(folder, 'auth.db')
  takeLock = takeSqliteLock(location)
})
afterEach(async () => {
  await killAll()
  await rm(folder, { recursive: true, force: true })
})

const { take } = behavesAsALock(() => takeLock)

test('each database in memory has a lock of its own', async () => {
  takeLock = takeSqliteLock(':memory:')
  await take(true)
  await take(true)
})

test('a second process refuses to start, and a third starts once the first is killed', async () => {
  const start = async () =>
    run('server/index.ts', {
      DATABASE_URL: `file:${location}`,
      PORT: String(await freePort()),
      PRESERVE_SESSIONS_ON_REBOOT: '0',
      PRIVATE_KEY_PASSPHRASE: '',
      CORS_ORIGINS: '',
    })
  const first = await start()
  await first.ready()
  const second = await start()
  expect(await second.exit).toBe(1)
  expect(second.stderr.text).toMatch(/- Another server is using this database.*\n\n$/)
  first.signal('SIGKILL')
  await first.exit
  await (await start()).ready()
})
