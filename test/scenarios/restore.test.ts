/** The steps of docs/deployment.md, "Backup and restore". */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { someEmail, TestClient, type TestSession } from '../support/client.ts'
import { describePostgres } from '../support/describe-postgres.ts'
import {
  asAdmin,
  createDatabase,
  findPostgres,
  startPostgres,
  type PostgresServer,
} from '../support/postgres.ts'
import { freePort, killAll, run } from '../support/process.ts'

const runFile = promisify(execFile)

let folder: string
let keys: string
let env: Record<string, string>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'restore-'))
  keys = join(folder, 'keys')
  const port = String(await freePort())
  env = {
    ...{ PRESERVE_SESSIONS_ON_REBOOT: '1', PRIVATE_KEY_PASSPHRASE: 'long and random' },
    ...{ KEYS_DIR: keys, PORT: port, NODE_ENV: 'test' },
    DATABASE_URL: `file:${join(folder, 'data/auth.db')}`,
  }
})
afterEach(async () => {
  await killAll()
  await rm(folder, { recursive: true, force: true })
})

const start = () => run('server/index.ts', env).ready()

async function command(name: 'keys' | 'database', ...args: string[]): Promise<void> {
  const program = run(`server/commands/${name}/index.ts`, env, args)
  expect(await program.exit).toBe(0)
}

/** Exchanges a refresh token. `next` is its successor. */
async function refresh(client: TestClient, { refreshJws }: Pick<TestSession, 'refreshJws'>) {
  const refresh_token = await client.seal(refreshJws)
  const { status, body } = await client.send('POST', '/token', {
    ...{ grant_type: 'refresh_token', refresh_token },
  })
  if (status !== 200) return { status, error: body.error }
  return { status, next: { refreshJws: await client.open(body.refresh_token) } }
}

interface Procedure {
  readonly backUp: () => Promise<void>
  /** Destroys everything but the backup. */
  readonly lose: () => Promise<void>
  readonly restore: () => Promise<void>
}

async function expectRestored({ backUp, lose, restore }: Procedure): Promise<void> {
  await command('keys', 'generate')
  const url = await start()
  const [ada, bob] = [await TestClient.registered(url), await TestClient.registered(url)]
  const [adas, bobs] = [await ada.signUp(), await bob.signUp()]

  await backUp()
  await cp(keys, join(folder, 'backup/keys'), { recursive: true })
  // These changes are not in the backup.
  const { next } = await refresh(bob, bobs)
  const later = someEmail()
  await ada.signUp(later)

  await killAll()
  await lose()
  await rm(keys, { recursive: true })
  await restore()
  await cp(join(folder, 'backup/keys'), keys, { recursive: true })
  await start()

  for (const [client, session] of [[ada, adas] as const, [bob, bobs] as const]) {
    const { status, body } = await client.sendAs(session, 'GET', '/account')
    expect([status, body.database_key]).toEqual([200, session.databaseKey])
  }
  const renewed = await refresh(ada, adas)
  expect(renewed.status).toBe(200)
  expect((await refresh(ada, renewed.next!)).status).toBe(200)
  // The successor is not in the backup: to the server, the token that it replaced was reused.
  expect(await refresh(bob, next!)).toEqual({ status: 400, error: 'invalid_grant' })
  await bob.login(bobs.answer.body.account.email)
  await ada.signUp(later)
}

test('SQLite: sessions are restored, except those refreshed since the backup', async () => {
  const data = join(folder, 'data')
  await mkdir(join(folder, 'backup'))
  await expectRestored({
    backUp: () => command('database', 'backup', '--to', `file:${join(folder, 'backup/auth.db')}`),
    lose: () => writeFile(join(data, 'auth.db'), 'damaged'),
    async restore() {
      // With auth.db-wal and auth.db-shm, which a crash leaves behind.
      await rm(data, { recursive: true })
      await mkdir(data, { mode: 0o700 })
      await cp(join(folder, 'backup/auth.db'), join(data, 'auth.db'))
    },
  })
})

describePostgres('PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.remove())

  test('sessions are restored, except those refreshed since the backup', async () => {
    const programs = await findPostgres()
    const dump = join(folder, 'backup/auth.dump')
    const [lost, restored] = [await createDatabase(server.url), await createDatabase(server.url)]
    env['DATABASE_URL'] = lost
    await mkdir(join(folder, 'backup'))
    await expectRestored({
      async backUp() {
        const options = ['--format=custom', '--no-unlogged-table-data', `--file=${dump}`]
        await runFile(join(programs!, 'pg_dump'), [...options, lost])
      },
      async lose() {
        const name = new URL(lost).pathname.slice(1)
        await asAdmin(server.url, `drop database ${name} with (force)`)
      },
      async restore() {
        const options = ['--no-owner', '--exit-on-error', `--dbname=${restored}`]
        await runFile(join(programs!, 'pg_restore'), [...options, dump])
        env['DATABASE_URL'] = restored
      },
    })
  })
})
