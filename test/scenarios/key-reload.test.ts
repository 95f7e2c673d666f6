/** What other requests notice of a rotation. */
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeys, rotateKeys } from '../../server/commands/keys/folder-changes.ts'
import type { KeyFolder } from '../../server/keystore/folder.ts'
import { OpenedKeys } from '../../server/keystore/read-key.ts'
import { createLogger } from '../../server/log/logger.ts'
import { startServer, type RunningServer } from '../../server/start.ts'
import { DEFAULTS, PASSPHRASE } from '../keystore/fixtures.ts'
import { testConfig } from '../support/config.ts'
import { databaseAt, usedDatabaseFeatures } from '../support/database.ts'

const KEEP = 3_600_000

let scratch: string
let server: RunningServer | undefined
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'key-reload-'))
})
afterEach(async () => {
  agent.destroy()
  await server?.stop()
  await rm(scratch, { recursive: true, force: true })
})

function askHealth(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get(`${url}/healthz`, { agent }, (response) => {
      response.resume()
      response.once('end', () => {
        resolve()
      })
    }).once('error', reject)
  })
}

test('/healthz answers while ten encrypted keys are rotated and reloaded', async () => {
  const folder: KeyFolder = {
    path: join(scratch, 'keys'),
    passphrase: PASSPHRASE,
    algorithms: DEFAULTS,
    opened: new OpenedKeys(),
  }
  await generateKeys(folder)
  for (let round = 0; round < 3; round++) await rotateKeys(folder, Date.now(), KEEP)
  expect((await readdir(folder.path)).filter((name) => name.endsWith('.key'))).toHaveLength(10)
  const config = testConfig({
    port: 0,
    keysDir: folder.path,
    privateKeyPassphrase: PASSPHRASE,
    preserveSessions: true,
    database: await databaseAt(join(scratch, 'auth.db')),
  })
  const running = await startServer(config, await usedDatabaseFeatures(), createLogger('silent'))
  server = running
  await askHealth(running.url)

  let isDone = false as boolean
  const rotation = rotateKeys(folder, Date.now(), KEEP)
    .then(() => running.reloadKeys())
    .finally(() => (isDone = true))
  let answers = 0
  do {
    await askHealth(running.url)
    answers++
  } while (!isDone)
  await rotation
  // Each key takes some 60 ms of scrypt. On the event loop, that would leave time for a few answers
  // only. Off it, there are hundreds.
  expect(answers).toBeGreaterThan(30)
})
