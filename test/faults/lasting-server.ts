/** The program on one port, with keys and a database that survive it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeys } from '../../server/commands/keys/folder-changes.ts'
import { DEFAULTS } from '../keystore/fixtures.ts'
import { UNLIMITED_VARIABLES } from '../support/config.ts'
import { freePort, run, type Program } from '../support/process.ts'
import { CHEAP_SCRYPT } from '../support/scrypt.ts'

const PASSPHRASE = 'a passphrase'

interface LastingServerOptions {
  /** Whether keys and sessions survive a restart. */
  readonly preserve: boolean
  /** By default, a file in its own folder. */
  readonly databaseUrl?: string
  readonly variables?: Readonly<Record<string, string>>
}

export interface LastingServer {
  readonly url: string
  /** For files of a test. */
  readonly folder: string
  /** The process that runs now, or ran last. */
  readonly program: Program
  /** Starts the program, and waits until it is ready. */
  start(): Promise<void>
  /** Starts the program without waiting, for a start that fails. */
  launch(): Program
  /** Sends a signal, and waits for the end of the process. */
  end(signal: NodeJS.Signals): Promise<void>
  /** Stops the process, and removes its folder. */
  remove(): Promise<void>
}

export async function createLastingServer({
  preserve,
  databaseUrl,
  variables = {},
}: LastingServerOptions): Promise<LastingServer> {
  const folder = await mkdtemp(join(tmpdir(), 'faults-'))
  const keys = join(folder, 'keys')
  if (preserve) {
    const scryptCost = CHEAP_SCRYPT
    await generateKeys({ path: keys, passphrase: PASSPHRASE, algorithms: DEFAULTS, scryptCost })
  }
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let program: Program | undefined
  const server: LastingServer = {
    url,
    folder,
    get program() {
      if (program === undefined) throw new Error('The server was not started.')
      return program
    },
    launch() {
      program = run('server/index.ts', {
        ...UNLIMITED_VARIABLES,
        PORT: String(port),
        ISSUER: url,
        DATABASE_URL: databaseUrl ?? `file:${join(folder, 'auth.db')}`,
        PRESERVE_SESSIONS_ON_REBOOT: preserve ? '1' : '0',
        KEYS_DIR: keys,
        ...(preserve ? { PRIVATE_KEY_PASSPHRASE: PASSPHRASE } : {}),
        // A start on a busy machine takes longer than the default for a retry.
        REFRESH_REUSE_INTERVAL: '10m',
        ...variables,
      })
      return program
    },
    async start() {
      await server.launch().ready()
    },
    async end(signal) {
      program?.signal(signal)
      await program?.exit
    },
    async remove() {
      await server.end('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
  return server
}
