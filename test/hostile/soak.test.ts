/**
 * A server under mixed load for SOAK seconds: its answers never contradict each other, and it leaks
 * neither memory nor files.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { TestClient } from '../support/client.ts'
import { violations } from '../support/history.ts'
import { record } from '../support/record-history.ts'
import { count, report, tally } from '../support/report.ts'
import { holdingsOf, type Holdings } from '../support/watch-process.ts'
import { JSON_CASES, NAUGHTY_STRINGS } from './corpora.ts'
import { exchange } from './exchange.ts'
import { startHostileServer, type HostileServer } from './hostile-server.ts'

/** Seconds. */
const SOAK = Number(process.env['SOAK'] ?? 20)
/** Operations of one history: short, so that the soak ends about in time. */
const OPERATIONS = 200
/** Seconds between two looks at the process. */
const INTERVAL = 2
/** MiB, as for `npm run bench -- soak`, and what the threads that hash passwords take: 4 × 19. */
const MOST_MEMORY = 326
/** Seconds for idle connections to be closed. */
const COOL_DOWN = 30
/** Files and handles that may come and go by themselves: database connections, timers, a log. */
const SLACK = 10

let folder: string
let server: HostileServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'soak-'))
  server = await startHostileServer({
    NODE_OPTIONS: `--report-on-signal --report-directory=${folder} --report-filename=report.json`,
  })
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

let reports = 0
/** The number of handles that keep libuv's event loop busy, as Node reports them. */
async function handles(): Promise<number> {
  reports += 1
  server.program.signal('SIGUSR2')
  await server.program.stderr.until(RegExp(`(report completed[^]*){${reports}}`))
  const text = await readFile(join(folder, 'report.json'), 'utf8')
  const { libuv } = JSON.parse(text) as { libuv: { is_active: boolean }[] }
  return libuv.filter((handle) => handle.is_active).length
}

/** Signs people in, lets them work, refresh and leave, and returns the outcomes. */
async function people(isOver: () => boolean): Promise<(string | number)[]> {
  const outcomes: (string | number)[] = []
  for (let seed = 1; !isOver(); seed++) {
    const history = await record(await TestClient.registered(server.url), seed, OPERATIONS)
    expect(violations(history)).toEqual([])
    outcomes.push(...history.map(({ status }) => status))
  }
  return outcomes
}

/** Sends bodies that are refused. */
async function strangers(isOver: () => boolean): Promise<number[]> {
  const bodies = [
    ...JSON_CASES.map(({ bytes }) => bytes),
    ...NAUGHTY_STRINGS.map((text) => Buffer.from(JSON.stringify({ token: text }))),
  ]
  const statuses: number[] = []
  for (let n = 0; !isOver(); n++) {
    const { status = 413 } = await exchange(server.url, {
      method: 'POST',
      path: n % 2 === 0 ? '/revoke' : '/token',
      headers: { 'Content-Type': 'application/json' },
      body: bodies[n % bodies.length]!,
    })
    statuses.push(status)
    await sleep(1)
  }
  return statuses
}

async function watch(isOver: () => boolean): Promise<Holdings[]> {
  const seen: Holdings[] = []
  while (!isOver()) {
    await sleep(INTERVAL * 1000)
    seen.push(await holdingsOf(server.program.pid))
  }
  return seen
}

/** Waits until the server has at most this many files open, or until the time is up. */
async function coolDown(files: number): Promise<Holdings> {
  const end = performance.now() + COOL_DOWN * 1000
  for (;;) {
    const now = await holdingsOf(server.program.pid)
    if (now.files <= files || performance.now() > end) return now
    await sleep(500)
  }
}

test(
  `${SOAK} seconds of mixed load cause no fault and no leak`,
  async () => {
    // What the first request opens stays open.
    await TestClient.registered(server.url).then((client) => client.signUp())
    const before = { ...(await holdingsOf(server.program.pid)), handles: await handles() }
    const end = performance.now() + SOAK * 1000
    const isOver = () => performance.now() > end

    const [outcomes, refusals, seen] = await Promise.all([
      people(isOver),
      strangers(isOver),
      watch(isOver),
    ])
    const most = (name: keyof Holdings) => Math.max(...seen.map((each) => each[name]))
    report(`people: ${count(outcomes.length)} operations (${tally(outcomes)})`)
    report(`strangers: ${count(refusals.length)} bodies (${tally(refusals)})`)
    expect([...outcomes, ...refusals].filter((status) => Number(status) >= 500)).toEqual([])
    expect(server.faults()).toEqual([])

    const after = { ...(await coolDown(before.files + SLACK / 2)), handles: await handles() }
    report(
      `memory: ${most('memory').toFixed(0)} MiB at most; files: ${before.files} before, ${most('files')} at most, ${after.files} after; ` +
        `handles: ${before.handles} before, ${after.handles} after; threads: ${most('threads')} at most`,
    )
    expect(most('memory')).toBeLessThan(MOST_MEMORY)
    expect(after.files).toBeLessThanOrEqual(before.files + SLACK)
    expect(after.handles).toBeLessThanOrEqual(before.handles + SLACK)
    expect(after.threads).toBeLessThanOrEqual(before.threads + SLACK)
  },
  (SOAK + 300) * 1000,
)
