import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, Server, type Socket } from 'node:net'
import { createHttpServer, type HttpServer } from '../../server/listener/http-server.ts'
import { getRaw, openConnection, type RawConnection } from '../support/process.ts'

const GRACE = 20_000
const GET = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n'
/** A request without its body, which must begin with a hexadecimal digit. */
const CHUNKED = 'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n'

let server: HttpServer
let url: string
/** The requests that have come, oldest first; a test answers them. */
let requests: { request: IncomingMessage; response: ServerResponse }[]
let onRequest: (() => void) | undefined
const connections: RawConnection[] = []
const sockets: Socket[] = []

async function start(timeouts?: Parameters<typeof createHttpServer>[1]): Promise<void> {
  server = createHttpServer((request, response) => {
    requests.push({ request, response })
    onRequest?.()
    if (request.url !== '/') response.end(`answer to ${request.url}`)
  }, timeouts)
  url = `http://127.0.0.1:${await server.listen(0, '127.0.0.1')}`
}

beforeEach(async () => {
  requests = []
  await start()
})
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close()
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.stop(0).catch(() => undefined)
})

async function open(): Promise<RawConnection> {
  const connection = await openConnection(url)
  connections.push(connection)
  return connection
}

/** Sends a request that stays in flight until the test ends its response. */
async function requestInFlight(text = GET) {
  const connection = await open()
  const arrived = new Promise<void>((resolve) => (onRequest = resolve))
  connection.send(text)
  await arrived
  return { connection, response: requests.at(-1)!.response }
}

function parse(answer: string) {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: new Headers(lines.map((line) => line.split(': ') as [string, string])),
    body,
  }
}

/** Expects an error in the usual form, and the connection closed after it. */
function expectError(answer: string, status: number, description: RegExp) {
  const { headers, body, ...rest } = parse(answer)
  expect(rest).toEqual({ status })
  expect(JSON.parse(body)).toEqual({
    error: 'invalid_request',
    error_description: expect.stringMatching(description),
  })
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(Number(headers.get('content-length'))).toBe(Buffer.byteLength(body))
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('x-request-id')).toMatch(/^[\w-]{1,128}$/)
  expect(headers.get('connection')).toBe('close')
}

describe('listening', () => {
  test('answers requests, several on one connection', async () => {
    const connection = await open()
    for (const path of ['/one', '/two']) {
      connection.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`)
      await connection.until(new RegExp(`answer to ${path}`))
    }
  })

  test('on a port in use rejects with EADDRINUSE', async () => {
    const other = createHttpServer(() => undefined)
    const { port } = new URL(url)
    await expect(other.listen(Number(port), '127.0.0.1')).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
  })
})

describe('malformed HTTP', () => {
  test.each([
    ['garbage', 'what is this\r\n\r\n'],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['an unknown version', 'GET / HTTP/9.9\r\nHost: test\r\n\r\n'],
    ['a header without a name', 'GET / HTTP/1.1\r\nHost: test\r\n: x\r\n\r\n'],
    ['a length that is not a number', 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n'],
    [
      'two ways to find the end of the body',
      'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    ],
    ['a header folded over two lines', 'GET / HTTP/1.1\r\nHost: test\r\nA: b\r\n  c\r\x00\r\n\r\n'],
  ])('is refused with 400 in JSON: %s', async (_, text) => {
    const connection = await open()
    connection.send(text)
    expectError(await connection.ended, 400, /not an HTTP request/)
    expect(requests).toEqual([])
  })

  test('is refused with 431 in JSON: headers over 64 KiB, but not headers below', async () => {
    const header = (size: number) =>
      `GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\nX: ${'x'.repeat(size)}\r\n\r\n`
    const large = await open()
    large.send(header(63 * 1024))
    expect(parse(await large.ended)).toMatchObject({ status: 200, body: 'answer to /large' })
    const tooLarge = await open()
    tooLarge.send(header(66 * 1024))
    expectError(await tooLarge.ended, 431, /headers are too large/)
    expect(requests).toHaveLength(1)
  })

  test('does not include an unknown Expect header', async () => {
    const connection = await open()
    connection.send(
      'GET /x HTTP/1.1\r\nHost: test\r\nExpect: miracles\r\nConnection: close\r\n\r\n',
    )
    expect(parse(await connection.ended)).toMatchObject({ status: 200, body: 'answer to /x' })
  })

  test.each([
    ['garbage', 'what is this\r\n\r\n', 400],
    [
      'headers that are too large',
      `GET / HTTP/1.1\r\nHost: test\r\nX: ${'x'.repeat(66 * 1024)}\r\n\r\n`,
      431,
    ],
  ])(
    'is refused, and the connection closed even if the client keeps it open: %s',
    async (_, text, status) => {
      const { hostname, port } = new URL(url)
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
      sockets.push(socket)
      let answer = ''
      socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk))
      const hasClosed = new Promise<void>((resolve) =>
        socket.once('close', () => {
          resolve()
        }),
      )
      // A write to the closed connection is an error.
      socket.on('error', () => undefined)
      const hasEnded = new Promise<void>((resolve) => socket.once('end', resolve))
      socket.write(text)
      await Promise.race([hasEnded, hasClosed])
      expect(parse(answer).status).toBe(status)
      const writing = setInterval(() => socket.write('more'), 20)
      await hasClosed
      clearInterval(writing)
      expect(socket.errored).toMatchObject({ code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/) })
    },
  )

  test('does not affect other connections if one breaks off', async () => {
    const connection = await open()
    connection.send('GET /half HTTP/1.1\r\nHo')
    connection.close()
    await connection.ended
    expect(await getRaw(url, '/after')).toContain('answer to /after')
  })
})

describe('pipelined requests', () => {
  /** Sends texts in one packet and waits for the requests in them. */
  async function pipeline(connection: RawConnection, texts: string[], count = texts.length) {
    const known = requests.length
    const arrived = new Promise<void>((resolve) => {
      onRequest = () => {
        if (requests.length === known + count) resolve()
      }
    })
    connection.send(texts.join(''))
    await arrived
    return requests.slice(known).map(({ response }) => response)
  }

  test('are answered in order', async () => {
    const connection = await open()
    const responses = await pipeline(
      connection,
      Array.from({ length: 32 }, () => GET),
    )
    for (const [i, response] of [...responses.entries()].reverse()) response.end(`answer ${i}.`)
    await connection.until(/answer 31\./)
    const answers = [...connection.text.matchAll(/answer (\d+)\./g)].map(([, i]) => Number(i))
    expect(answers).toEqual(Array.from({ length: 32 }, (_, i) => i))
    connection.send('GET /after HTTP/1.1\r\nHost: test\r\n\r\n')
    await connection.until(/answer to \/after/)
  })

  test.each([1, 1000])('32 may wait, and %d more close the connection', async (more) => {
    const connection = await open()
    connection.send(GET.repeat(32 + more))
    await connection.ended
    expect(requests).toHaveLength(32)
    await server.stop(GRACE)
  })

  test('count towards the 32 even if they are refused', async () => {
    const connection = await open()
    const refused = `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(101)}\r\n`
    await pipeline(connection, [GET, refused, GET.repeat(30)], 1)
    connection.send(GET)
    expect(await connection.ended).toBe('')
    expect(requests).toHaveLength(1)
  })

  test('do not delay a stop after their connection has closed', async () => {
    const connection = await open()
    const [first] = await pipeline(connection, [GET, GET, GET])
    const closed = once(first!, 'close')
    connection.close()
    await closed
    const start = performance.now()
    await server.stop(GRACE)
    expect(performance.now() - start).toBeLessThan(GRACE / 2)
  })

  test('do not delay a stop during which their connection closes', async () => {
    const connection = await open()
    await pipeline(connection, [GET, GET, GET])
    const start = performance.now()
    const stopped = server.stop(GRACE)
    connection.close()
    await stopped
    expect(performance.now() - start).toBeLessThan(GRACE / 2)
  })

  test('are all answered before the server stops', async () => {
    const connection = await open()
    const responses = await pipeline(connection, [GET, GET])
    const stopped = server.stop(GRACE)
    for (const [i, response] of responses.entries()) response.end(`answer ${i}`)
    expect(await connection.ended).toMatch(/answer 0[^]*connection: close[^]*answer 1$/i)
    await stopped
  })

  test.each([
    ['garbage', 'what is this\r\n\r\n', 400],
    ['garbage twice', 'what is this\r\n\r\n', 400],
    ['a body that breaks off', `${CHUNKED}x`, 400],
    ['headers that are too large', `GET / HTTP/1.1\r\nX: ${'x'.repeat(66 * 1024)}\r\n\r\n`, 431],
  ])('are answered before %s is refused', async (name, text, status) => {
    const connection = await open()
    const inRequest = text.startsWith('POST') ? 1 : 0
    const [first, second] = await pipeline(connection, [GET, GET, text], 2 + inRequest)
    if (name === 'garbage twice') connection.send(text)
    // Once another connection is answered, the server has read what was sent on this one.
    await getRaw(url, '/meanwhile')
    second!.end('second')
    first!.end('first')
    const answers = (await connection.ended).split(/(?=HTTP\/1\.1 )/)
    expect(answers.map((answer) => parse(answer).status)).toEqual([200, 200, status])
    expect(parse(answers[1]!).body).toBe('second')
    expect(JSON.parse(parse(answers[2]!).body)).toMatchObject({ error: 'invalid_request' })
  })

  test('an answer that has begun is finished if the body of its request is malformed', async () => {
    const { connection, response } = await requestInFlight(CHUNKED)
    response.writeHead(200, { 'Content-Length': 8 }).write('half')
    await connection.until(/half/)
    connection.send('x')
    await getRaw(url, '/meanwhile')
    response.end('half')
    expect(await connection.ended).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\nhalfhalfHTTP\/1\.1 400 /)
  })
})

describe('stopping', () => {
  test('an idle server stops at once, and then refuses connections', async () => {
    await server.stop(GRACE)
    await expect(openConnection(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('lets a request in flight finish, and answers it with Connection: close', async () => {
    const { connection, response } = await requestInFlight()
    let hasStopped = false
    const stopped = server.stop(GRACE).then(() => (hasStopped = true))
    await getRaw(url, '/meanwhile')
    expect(hasStopped).toBe(false)
    response.end('finished')
    const answer = parse(await connection.ended)
    expect(answer).toMatchObject({ status: 200, body: 'finished' })
    expect(answer.headers.get('connection')).toBe('close')
    await stopped
    await expect(openConnection(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('waits for every request in flight', async () => {
    const first = await requestInFlight()
    const second = await requestInFlight()
    const stopped = server.stop(GRACE)
    second.response.end('second')
    expect(await second.connection.ended).toMatch(/second$/)
    first.response.end('first')
    expect(await first.connection.ended).toMatch(/first$/)
    await stopped
  })

  test.each(['before', 'during'])(
    'sends a long answer in full if its handler ended %s the stop',
    async (when) => {
      const { connection, response } = await requestInFlight()
      const body = 'x'.repeat(16 * 1024 * 1024)
      if (when === 'before') response.end(body)
      const stopped = server.stop(GRACE)
      if (when === 'during') response.end(body)
      await stopped
      expect(parse(await connection.ended).body.length).toBe(body.length)
    },
  )

  test('closes idle connections while it waits', async () => {
    const idle = await open()
    idle.send('GET /one HTTP/1.1\r\nHost: test\r\n\r\n')
    await idle.until(/answer to \/one/)
    const { connection, response } = await requestInFlight()
    const start = performance.now()
    const stopped = server.stop(GRACE)
    await idle.ended
    // Node closes an idle connection by itself, but only after 5 s.
    expect(performance.now() - start).toBeLessThan(4000)
    expect(connection.text).toBe('')
    response.end('finished')
    await stopped
  })

  test('answers new connections while it waits, and closes each', async () => {
    const { response } = await requestInFlight()
    const stopped = server.stop(GRACE)
    const probe = await open()
    probe.send('GET /probe HTTP/1.1\r\nHost: test\r\n\r\n')
    const answer = parse(await probe.ended)
    expect(answer).toMatchObject({ status: 200, body: 'answer to /probe' })
    expect(answer.headers.get('connection')).toBe('close')
    response.end()
    await stopped
  })

  test('cuts off a request that never ends after the grace period', async () => {
    const { connection } = await requestInFlight()
    const start = performance.now()
    await server.stop(300)
    expect(performance.now() - start).toBeGreaterThan(250)
    expect(await connection.ended).toBe('')
    await expect(openConnection(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('does not wait for a request whose client has gone', async () => {
    const { connection, response } = await requestInFlight()
    const start = performance.now()
    const stopped = server.stop(GRACE)
    connection.close()
    await once(response, 'close')
    await stopped
    expect(performance.now() - start).toBeLessThan(GRACE / 2)
  })

  test('does not wait for a connection that has not sent a whole request', async () => {
    const silent = await open()
    const half = await open()
    half.send('GET / HTTP/1.1\r\nHo')
    await getRaw(url, '/meanwhile')
    await server.stop(GRACE)
    expect(await silent.ended).toBe('')
    expect(await half.ended).toBe('')
  })
})

describe('a request that never ends', () => {
  test.each([
    ['header section', 'GET / HTTP/1.1\r\nHost: test\r\nX: ', 100],
    // Both limits count from the connection on, so the headers must arrive in time, too.
    ['body', 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nx', 1500],
  ])('gets 408 if its %s does not end', async (part, text, timeout) => {
    await server.stop(0)
    const timeouts = { headersTimeout: timeout, requestTimeout: timeout }
    await start({ ...timeouts, connectionsCheckingInterval: 20 })
    const connection = await open()
    connection.send(text)
    expectError(await connection.ended, 408, /too long to arrive/)
    expect(requests).toHaveLength(part === 'body' ? 1 : 0)
  })

  test('has 10 seconds for its headers and 30 in total by default', async () => {
    await server.stop(0)
    const listen = jest.spyOn(Server.prototype, 'listen')
    await start()
    expect(listen.mock.contexts).toEqual([
      expect.objectContaining({ headersTimeout: 10_000, requestTimeout: 30_000 }),
    ])
    listen.mockRestore()
  })
})
