import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { GOOD_PASSWORD, TestClient } from '../support/client.ts'
import { random } from '../support/record-history.ts'
import { count, report } from '../support/report.ts'
import { createLastingServer, type LastingServer } from './lasting-server.ts'
import { refresh, startLoad, type Entry } from './ledger.ts'

const CYCLES = Number(process.env['CYCLES'] ?? 13)
const SEED = Number(process.env['SEED'] ?? 20_261_129)
const WORKERS = 6
/** The fewest and the most answers before a kill. */
const ANSWERS = { least: 10, most: 80 }

/** What was still there, over all cycles. */
interface Found {
  accounts: number
  sessions: number
  endings: number
  refreshes: number
  /** Sent but not answered: either outcome is right. */
  open: number
}

const login = (client: TestClient, { email }: Entry) => client.login(email, GOOD_PASSWORD)

async function expectEnded(client: TestClient, entry: Entry): Promise<void> {
  expect((await client.sendAs(entry, 'GET', '/account')).status).toBe(401)
  const answer = await refresh(client, entry.refreshJws)
  expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
}

async function expectAlive(client: TestClient, entry: Entry, found: Found): Promise<void> {
  const { status, body } = await client.sendAs(entry, 'GET', '/account')
  expect(status).toBe(200)
  if (entry.pending === 'rename') found.open += 1
  else expect(body.account.name).toBe(entry.name)
  // A refresh whose answer was lost can be repeated.
  if (entry.pending === 'refresh') found.open += 1
  expect((await refresh(client, entry.refreshJws)).status).toBe(200)
  if (entry.usedJws === undefined) return
  // Its successor was used, so this one is outdated.
  const used = await refresh(client, entry.usedJws)
  expect([used.status, used.body.error]).toEqual([400, 'invalid_grant'])
  found.refreshes += 1
}

async function verifyPreserved(client: TestClient, entry: Entry, found: Found): Promise<void> {
  if (entry.pending === 'logout' || entry.pending === 'revoke') {
    found.open += 1
  } else if (entry.isEnded) {
    await expectEnded(client, entry)
    found.endings += 1
  } else {
    await expectAlive(client, entry, found)
    found.sessions += 1
  }
  await login(client, entry)
  found.accounts += 1
}

async function verifyRegenerated(client: TestClient, entry: Entry, found: Found): Promise<void> {
  await expectEnded(client, entry)
  found.endings += 1
  const session = await login(client, entry)
  const { status, body } = await client.sendAs(session, 'GET', '/account/sessions')
  // The route is a feature's, which may be taken out.
  if (status !== 404) expect(body.sessions).toHaveLength(1)
  found.accounts += 1
}

async function killCycles(name: string, server: LastingServer, preserve: boolean): Promise<void> {
  const found: Found = { accounts: 0, sessions: 0, endings: 0, refreshes: 0, open: 0 }
  const next = random(SEED)
  await server.start()
  const client = await TestClient.registered(server.url)
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const load = startLoad(client, WORKERS, next)
    const enough = ANSWERS.least + next() * (ANSWERS.most - ANSWERS.least)
    // Ends early, with its error, if the load does.
    let failure: unknown
    load.over.catch((error: unknown) => (failure = error))
    while (load.answers < enough && failure === undefined) await sleep(5)
    load.stop()
    await server.end('SIGKILL')
    await load.over
    await server.start()
    // The first request finds other keys, and the client fetches them.
    await client.sendAs(load.ledger[0]!, 'GET', '/account')
    const verify = preserve ? verifyPreserved : verifyRegenerated
    await Promise.all(load.ledger.map((entry) => verify(client, entry, found)))
    const faults = server.program.logs().filter(({ level }) => level === 'error')
    expect(faults).toEqual([])
  }
  const { accounts, sessions, endings, refreshes, open } = found
  report(
    `${name}: ${CYCLES} kills, ${count(accounts)} accounts, ${count(sessions)} sessions, ${count(refreshes)} refreshes and ${count(endings)} ended sessions found again, none lost; ${open} requests without an answer`,
  )
  expect(accounts).toBeGreaterThanOrEqual(CYCLES)
}

const MODES = [
  ['preserved', true],
  ['regenerated', false],
] as const

/**
 * Tests of a server that is killed under load, repeatedly. CYCLES is the number for each mode.
 *
 * @param createDatabase Makes the URL of a new database; a SQLite file by default.
 */
export function survivesKills(name: string, createDatabase?: () => Promise<string>): void {
  test.each(MODES)(
    'a kill under load loses nothing acknowledged, with keys %s',
    async (keys, preserve) => {
      const databaseUrl = await createDatabase?.()
      const located = databaseUrl === undefined ? {} : { databaseUrl }
      const server = await createLastingServer({ preserve, ...located })
      try {
        await killCycles(`${name}, keys ${keys}`, server, preserve)
      } finally {
        await server.remove()
      }
    },
    60_000 + CYCLES * 60_000,
  )
}
