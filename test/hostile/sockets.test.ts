/** Bytes on a socket: bad HTTP gets no success, and nothing is smuggled past a proxy. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { getRaw, openConnection } from '../support/process.ts'
import { report, tally } from '../support/report.ts'
import { startHostileServer, type HostileServer } from './hostile-server.ts'
import { SOCKET_CASES, type SocketCase } from './socket-cases.ts'

/** Milliseconds for an answer, or for the server to close the connection. */
const PATIENCE = 20_000

let server: HostileServer
beforeAll(async () => {
  server = await startHostileServer()
})
afterAll(() => server.stop())

const STATUS_LINE = /HTTP\/1\.1 (\d{3}) /g
const isRefusal = (status: number) => status >= 400 && status < 500

/** Sends the bytes and a last request, and returns the statuses until the server closes. */
async function statusesFor(bytes: string): Promise<number[]> {
  const connection = await openConnection(server.url)
  // One byte for each character. `Connection: close` makes the server close a sound connection.
  connection.send(Buffer.from(bytes, 'latin1'))
  connection.send('GET /last HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')
  const text = await Promise.race([connection.ended, rejectLater()])
  return [...text.matchAll(STATUS_LINE)].map(([, status]) => Number(status))
}

const rejectLater = () =>
  new Promise<never>((_resolve, reject) => {
    setTimeout(() => {
      reject(new Error('The server neither answers nor closes.'))
    }, PATIENCE).unref()
  })

async function check({ name, bytes, answers }: SocketCase): Promise<number[]> {
  const statuses = await statusesFor(bytes)
  if (answers === undefined) expect([name, ...statuses.map(isRefusal)]).not.toContain(false)
  else expect([name, ...statuses]).toEqual([name, ...answers])
  return statuses
}

test.each(Object.entries(SOCKET_CASES))('%s', async (kind, cases) => {
  const statuses: number[][] = []
  for (const each of cases) statuses.push(await check(each))
  const told = statuses.map((each) => each.join(' then ') || 'closed')
  report(`sockets, ${kind.toLowerCase()}: ${cases.length} (${tally(told)})`)
  expect(server.faults()).toEqual([])
  expect(await getRaw(server.url, '/healthz')).toMatch(/^HTTP\/1\.1 200 /)
})
