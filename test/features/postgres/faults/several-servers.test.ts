/** Several servers with one PostgreSQL database and one key folder, and failures around them. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeys, rotateKeys } from '../../../../server/commands/keys/folder-changes.ts'
import { startBalancer, type Balancer } from '../../../support/balancer.ts'
import { GOOD_PASSWORD, someEmail, TestClient } from '../../../support/client.ts'
import { testConfig } from '../../../support/config.ts'
import { describePostgres } from '../../../support/describe-postgres.ts'
import { isAccepted, violations } from '../../../support/history.ts'
import {
  asAdmin,
  createDatabase,
  startPostgres,
  type PostgresServer,
} from '../../../support/postgres.ts'
import { freePort, killAll, run, type Program } from '../../../support/process.ts'
import { random, record } from '../../../support/record-history.ts'

const ISSUER = 'http://auth.test'
/** The number of long histories. Without it, a short one. */
const SEEDS = process.env['SEEDS']
const OPERATIONS = SEEDS === undefined ? 150 : 300
const seeds = Array.from({ length: Number(SEEDS ?? 1) }, (_, index) => index + 1)

interface Member {
  readonly url: string
  readonly start: () => Program
  program: Program
}

describePostgres('several servers on one database', () => {
  let postgres: PostgresServer
  let folder: string
  let database: string
  let members: Member[]
  let balancer: Balancer
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'several-'))
    await generateKeys(keyFolder())
    database = await createDatabase(postgres.url)
    members = await Promise.all([0, 1, 2].map(() => startMember()))
    let turn = 0
    balancer = await startBalancer(() => members[turn++ % members.length]!.url)
  })
  afterEach(async () => {
    await balancer.close()
    await killAll()
    await rm(folder, { recursive: true, force: true })
  })
  afterAll(() => postgres.remove())

  const keyFolder = () => ({
    path: join(folder, 'keys'),
    passphrase: undefined,
    algorithms: testConfig().algorithms,
  })

  async function startMember(): Promise<Member> {
    const port = await freePort()
    const env = {
      PORT: String(port),
      ISSUER,
      DATABASE_URL: database,
      KEYS_DIR: join(folder, 'keys'),
      PRESERVE_SESSIONS_ON_REBOOT: '1',
      PRIVATE_KEY_PASSPHRASE: '',
      CORS_ORIGINS: '',
      RATE_LIMIT_LOGIN: 'off',
      RATE_LIMIT_SIGN_UP: 'off',
      RATE_LIMIT_CLIENTS: 'off',
      // A renewal whose answer was lost can be repeated during the whole test.
      RATE_LIMIT_REFRESH: 'off',
      REFRESH_REUSE_INTERVAL: '10m',
    }
    const start = () => run('server/index.ts', env)
    const member = { url: `http://127.0.0.1:${port}`, start, program: start() }
    await member.program.ready()
    return member
  }

  async function restart(member: Member): Promise<void> {
    await member.program.exit
    member.program = member.start()
    await member.program.ready()
  }

  type Trouble = (member: Member, seed: () => number) => Promise<unknown>
  const kill: Trouble = (member) => {
    member.program.signal('SIGKILL')
    return restart(member)
  }
  const freeze: Trouble = async (member, next) => {
    member.program.signal('SIGSTOP')
    await sleep(200 + 1000 * next())
    member.program.signal('SIGCONT')
  }
  const cut: Trouble = () =>
    asAdmin(
      database,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where pid <> pg_backend_pid() and datname = current_database()`,
    )
  const restartDatabase: Trouble = async (_, next) => {
    await postgres.stop()
    await sleep(500 * next())
    await postgres.start()
  }
  const crashDatabase: Trouble = async () => {
    await postgres.crash()
    await postgres.start()
  }
  const rollOver: Trouble = (member) => {
    member.program.signal('SIGTERM')
    return restart(member)
  }
  const rotate: Trouble = async () => {
    await rotateKeys(keyFolder(), Date.now(), 3_600_000)
    for (const { program } of members) program.signal('SIGHUP')
  }

  async function bind(client: TestClient, accessJws: string): Promise<string> {
    const now = Math.floor(Date.now() / 1000)
    const req = { jti: randomUUID(), iat: now, htm: 'GET', htu: `${ISSUER}/account` }
    return `Bearer ${await client.seal(accessJws, { req })}`
  }

  /** Sends one bound request to every server at once, and returns how many accepted it. */
  async function replay(authorization: string): Promise<number> {
    const answers = await Promise.allSettled(
      [...members, ...members].map(({ url }) =>
        fetch(`${url}/account`, { headers: { authorization } }),
      ),
    )
    const statuses = answers.map((answer) =>
      answer.status === 'fulfilled' ? answer.value.status : 0,
    )
    expect([0, 200, 401, 503]).toEqual(expect.arrayContaining(statuses))
    return statuses.filter((status) => status === 200).length
  }

  /** Signs one address up on every server at once, and returns it if one has acknowledged it. */
  async function signUpEverywhere(client: TestClient): Promise<string | undefined> {
    const email = someEmail()
    const body = { email, password: GOOD_PASSWORD, client_id: client.id }
    const answers = await Promise.all(members.map(() => client.send('POST', '/account', body)))
    const statuses = answers.map(({ status }) => status)
    expect([201, 409, 502, 503]).toEqual(expect.arrayContaining(statuses))
    const winners = statuses.filter((status) => status === 201)
    expect(winners.length).toBeLessThanOrEqual(1)
    return winners.length === 1 ? email : undefined
  }

  test.each(
    seeds.flatMap((seed) =>
      Object.entries({
        'that are killed and frozen': [kill, freeze, freeze],
        'that lose their connections and their database': [cut, restartDatabase, crashDatabase],
        'that are restarted in turn, while their keys are rotated,': [rollOver, rollOver, rotate],
      }).map(([name, troubles]) => [name, seed, troubles] as const),
    ),
  )(
    '%s act as one, with the seed %d',
    async (_, seed, troubles) => {
      const client = await TestClient.registered(balancer.url)
      const { accessJws } = await client.signUp()
      const next = random(seed)
      let isOver = false as boolean
      const until = async (work: () => Promise<unknown>) => {
        while (!isOver) await work()
      }
      let replays = 0
      let taken = ''
      const signedUp: string[] = []
      const around = Promise.all([
        until(async () => {
          const member = members[Math.floor(next() * members.length)]!
          await troubles[Math.floor(next() * troubles.length)]!(member, next)
          await sleep(800)
        }),
        until(async () => {
          const authorization = await bind(client, accessJws)
          const times = await replay(authorization)
          expect(times).toBeLessThanOrEqual(1)
          replays += times
          // A request that was accepted once is never accepted again.
          if (taken !== '') expect(await replay(taken)).toBe(0)
          if (times === 1) taken = authorization
          const email = await signUpEverywhere(client)
          if (email !== undefined) signedUp.push(email)
          await sleep(100)
        }),
      ])
      const history = await record(client, seed, OPERATIONS).finally(() => (isOver = true))
      await around
      expect(violations(history, false)).toEqual([])
      expect(history.filter(isAccepted).length).toBeGreaterThan(history.length / 10)
      expect([replays > 0, signedUp.length > 0]).toEqual([true, true])
      // Within seconds every server is ready again, and has what was acknowledged.
      for (const { url } of members) {
        while ((await fetch(`${url}/readyz`)).status !== 200) await sleep(100)
      }
      for (const email of signedUp) await client.login(email)
      expect((await client.sendAs({ accessJws }, 'GET', '/account')).status).toBe(200)
    },
    300_000,
  )
})
