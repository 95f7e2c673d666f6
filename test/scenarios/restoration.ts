/** The steps of docs/deployment.md, "Backup and restore", whatever the database. */
import { afterEach, beforeEach, expect } from '@jest/globals'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { someEmail, TestClient, type TestSession } from '../support/client.ts'
import { freePort, killAll, run } from '../support/process.ts'

/** Where the programs of a test live, and their environment. */
export interface Place {
  readonly folder: string
  readonly env: Record<string, string>
  readonly command: (name: 'keys' | 'database', ...args: string[]) => Promise<void>
}

interface Procedure {
  readonly backUp: () => Promise<void>
  /** Destroys everything but the backup. */
  readonly lose: () => Promise<void>
  readonly restore: () => Promise<void>
}

/** Prepares each test of a file, and returns what checks a procedure in a place of its own. */
export function restoration() {
  let folder: string
  let keys: string
  let env: Record<string, string>

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'restore-'))
    keys = join(folder, 'keys')
    const port = String(await freePort())
    env = {
      PRESERVE_SESSIONS_ON_REBOOT: '1',
      PRIVATE_KEY_PASSPHRASE: 'long and random',
      KEYS_DIR: keys,
      PORT: port,
      NODE_ENV: 'test',
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
      grant_type: 'refresh_token',
      refresh_token,
    })
    if (status !== 200) return { status, error: body.error }
    return { status, next: { refreshJws: await client.open(body.refresh_token) } }
  }

  async function expectRestored(procedureIn: (place: Place) => Procedure): Promise<void> {
    const { backUp, lose, restore } = procedureIn({ folder, env, command })
    await command('keys', 'generate')
    const url = await start()
    const [ada, bob] = [await TestClient.registered(url), await TestClient.registered(url)]
    const [adas, bobs] = [await ada.signUp(), await bob.signUp()]

    await mkdir(join(folder, 'backup'))
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

  return expectRestored
}
