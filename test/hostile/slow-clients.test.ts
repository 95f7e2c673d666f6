/** Clients that send as slowly as they can, to hold the server's connections (Slowloris). */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { count, quantile, report, tally } from '../support/report.ts'
import { holdingsOf } from '../support/watch-process.ts'
import { exchange } from './exchange.ts'
import { startHostileServer, type HostileServer } from './hostile-server.ts'

const CLIENTS = 500
/** Milliseconds between two bytes of a client, and between two looks at `/healthz`. */
const PACE = { byte: 1000, health: 20 }
/** Milliseconds. */
const BOUND = 100
/**
 * Milliseconds: a request has 10 s for its headers and 30 s in total, and is looked at each second.
 * The rest is for a busy machine.
 */
const CLOSED_WITHIN = { headers: 20_000, body: 45_000 }

const STARTS = {
  headers: 'GET /healthz HTTP/1.1\r\nHost: test\r\nX: ',
  body: 'POST /token HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n',
}
type Part = keyof typeof STARTS

let server: HostileServer
beforeAll(async () => {
  server = await startHostileServer()
})
afterAll(() => server.stop())

interface SlowClient {
  readonly part: Part
  readonly status: number
  /** Milliseconds until the server closed the connection. */
  readonly lived: number
}

async function slowClient(part: Part): Promise<SlowClient> {
  const start = performance.now()
  const socket: Socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  socket.on('error', () => undefined)
  socket.write(STARTS[part])
  const writing = setInterval(() => socket.write('x'), PACE.byte)
  await once(socket, 'close')
  clearInterval(writing)
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])
  return { part, status, lived: performance.now() - start }
}

/** How long `/healthz` takes, in milliseconds, again and again until `isOver`. */
async function watchHealth(isOver: () => boolean): Promise<number[]> {
  const times: number[] = []
  while (!isOver()) {
    const start = performance.now()
    const { status } = await exchange(server.url, { method: 'GET', path: '/healthz' })
    times.push(performance.now() - start)
    expect(status).toBe(200)
    await sleep(PACE.health)
  }
  return times
}

const milliseconds = (times: readonly number[], q: number) => `${quantile(times, q).toFixed(1)} ms`

test(`${CLIENTS} slow clients do not delay others, and are closed in time`, async () => {
  const end = performance.now() + 3000
  const alone = await watchHealth(() => performance.now() > end)
  const before = await holdingsOf(server.program.pid)

  let closed = 0
  const clients = Array.from({ length: CLIENTS }, async (_, index) => {
    const client = await slowClient(index % 2 === 0 ? 'headers' : 'body')
    closed += 1
    return client
  })
  const times = await watchHealth(() => closed === CLIENTS)
  const ended = await Promise.all(clients)

  for (const part of ['headers', 'body'] as const) {
    const those = ended.filter((client) => client.part === part)
    const longest = Math.max(...those.map(({ lived }) => lived))
    report(
      `slow ${part}: ${those.length} clients, each closed within ${(longest / 1000).toFixed(1)} s (${tally(those.map(({ status }) => status))})`,
    )
    expect(longest).toBeLessThan(CLOSED_WITHIN[part])
    expect(those.filter(({ status }) => status !== 408)).toEqual([])
  }
  report(
    `/healthz meanwhile: ${count(times.length)} requests, median ${milliseconds(times, 0.5)}, p99 ${milliseconds(times, 0.99)} (alone: ${milliseconds(alone, 0.5)}, ${milliseconds(alone, 0.99)})`,
  )
  expect(quantile(times, 0.5)).toBeLessThan(BOUND)
  // A slow machine is not the server's fault.
  expect(quantile(times, 0.99)).toBeLessThan(Math.max(BOUND, 3 * quantile(alone, 0.99)))

  const after = await holdingsOf(server.program.pid)
  expect(after.files).toBeLessThan(before.files + CLIENTS / 10)
  expect(server.faults()).toEqual([])
})
