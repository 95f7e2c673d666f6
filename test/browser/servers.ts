/** Servers for pages, with the real clock, because a browser has no other. See `stopServers`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeys } from '../../server/commands/keys/folder-changes.ts'
import type { Config } from '../../server/config/config.ts'
import type { Feature } from '../../server/feature.ts'
import type { KeyFolder } from '../../server/keystore/folder.ts'
import { createLogger } from '../../server/log/logger.ts'
import { startServer, type RunningServer } from '../../server/start.ts'
import { testConfig } from '../support/config.ts'
import { freePort } from '../support/process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { clientPage } from './client-page.ts'

const PATIENCE = 20_000
const off = 'off' as const
const UNLIMITED = { login: off, signUp: off, clients: off, refresh: off }

const servers = new Set<{ stop(): Promise<void> }>()
const folders: string[] = []

/** For afterEach. */
export async function stopServers(): Promise<void> {
  await Promise.all([...servers].map((server) => server.stop()))
  servers.clear()
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true, force: true })))
}

/** A server with an empty database. */
export async function serve(
  config: Partial<Config> = {},
  features: readonly Feature[] = [clientPage],
  variables: Readonly<Record<string, string>> = {},
): Promise<TestServer> {
  const clock = Object.assign(() => Date.now(), { advance: () => undefined })
  const changes = { rateLimits: UNLIMITED, ...config }
  const server = await startTestServer({ clock, config: changes, features, variables })
  servers.add(server)
  return server
}

/** A server at one address that can be stopped and restarted, with its keys and data in a folder. */
export async function restartable(
  preserveSessions: boolean,
  features: readonly Feature[] = [clientPage],
) {
  const scratch = await mkdtemp(join(tmpdir(), 'jwe-auth-browser-'))
  folders.push(scratch)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const config = testConfig(
    {
      port,
      issuer: url,
      preserveSessions,
      rateLimits: UNLIMITED,
      database: join(scratch, 'auth.db'),
      keysDir: join(scratch, 'keys'),
    },
    {},
    features,
  )
  const folder: KeyFolder = {
    path: config.keysDir,
    passphrase: undefined,
    algorithms: config.algorithms,
  }
  if (preserveSessions) await generateKeys(folder)
  let running: RunningServer | undefined
  const server = {
    url,
    folder,
    async start() {
      running = await startServer(config, features, createLogger('silent'))
    },
    async stop() {
      await running?.stop()
      running = undefined
    },
    async restart() {
      await server.stop()
      await server.start()
    },
    reloadKeys: async () => running?.reloadKeys(),
  }
  servers.add(server)
  return server
}

/** Polls until a condition is true. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`It never became true: ${isTrue.toString()}`)
    await sleep(20)
  }
}
