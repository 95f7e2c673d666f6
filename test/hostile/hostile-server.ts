/** The program with every feature switched on, as `npm start` runs it, on its own port. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { compose } from '../../server/composition.ts'
import { features } from '../../server/features.ts'
import { createEphemeralKeystore } from '../../server/keystore/keystore.ts'
import { createLogger } from '../../server/log/logger.ts'
import { createRouter } from '../../server/routes.ts'
import { createFeatures } from '../../server/start.ts'
import { testConfig, UNLIMITED_VARIABLES } from '../support/config.ts'
import { openTestDatabase } from '../support/database.ts'
import { freePort, run, type Program } from '../support/process.ts'

/** Nothing listens on this port. */
const NOWHERE = 'http://127.0.0.1:9/keys'
const PROVIDER = {
  issuer: 'https://provider.test',
  audiences: ['app'],
  jwks_uri: NOWHERE,
  algorithms: ['RS256'],
  sign_up: true,
  link_verified_email: false,
  nonce: 'any',
}

export interface HostileServer {
  readonly url: string
  readonly program: Program
  /** Gives an account another scope. */
  grant(email: string, scope: string): void
  /** The log lines that report a fault of the server. */
  faults(): unknown[]
  stop(): Promise<void>
}

/** Switches on what is off by default, except sending mail. */
async function everyFeature(folder: string): Promise<Record<string, string>> {
  const issuers = join(folder, 'issuers.json')
  await writeFile(issuers, JSON.stringify([PROVIDER]))
  return {
    TRUSTED_ISSUERS: issuers,
    APP_ID: 'app',
    JWT_SHARED_SECRET_ID: 'id',
    JWT_SHARED_SECRET: 'a secret '.repeat(8),
  }
}

const linesAt = (program: Program, ...levels: string[]): unknown[] =>
  program.logs().filter(({ level }) => levels.includes(level as string))

/** Starts one without rate limits. */
export async function startHostileServer(
  variables: Readonly<Record<string, string>> = {},
): Promise<HostileServer> {
  const folder = await mkdtemp(join(tmpdir(), 'hostile-'))
  const port = await freePort()
  const file = join(folder, 'auth.db')
  const program = run('server/index.ts', {
    ...(await everyFeature(folder)),
    ...UNLIMITED_VARIABLES,
    PORT: String(port),
    ISSUER: `http://127.0.0.1:${port}`,
    DATABASE_URL: `file:${file}`,
    ACCESS_TOKEN_TTL: '2h',
    ...variables,
  })
  return {
    url: await program.ready(),
    program,
    grant(email, scope) {
      const database = new Libsql(file, { timeout: 5000 })
      database.prepare('update accounts set scope = ? where email = ?').run(scope, email)
      database.close()
    },
    faults: () => linesAt(program, 'error', 'fatal'),
    async stop() {
      program.signal('SIGTERM')
      await program.exit
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export interface Route {
  readonly method: string
  /** With parameters, such as `/account/sessions/:session_id`. */
  readonly path: string
}

/** Every route of the server, from its own route table. */
export async function everyRoute(): Promise<Route[]> {
  const folder = await mkdtemp(join(tmpdir(), 'hostile-'))
  const config = testConfig({}, await everyFeature(folder), features)
  const database = await openTestDatabase()
  const keystore = await createEphemeralKeystore(config.algorithms)
  const core = compose({ config, keystore, database, logger: createLogger('fatal') })
  const parts = await createFeatures(core, features)
  const { stack } = createRouter(core, parts)
  for (const { stop } of parts) await stop?.()
  await database.destroy()
  await rm(folder, { recursive: true, force: true })
  return stack.flatMap(({ path, methods }) =>
    methods.filter((method) => method !== 'HEAD').map((method) => ({ method, path: String(path) })),
  )
}
