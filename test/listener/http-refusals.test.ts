import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createHttpServer, type HttpServer } from '../../server/listener/http-server.ts'
import { openConnection } from '../support/process.ts'

let server: HttpServer
let url: string
/** The URLs of the requests that were let through. */
let seen: (string | undefined)[]

beforeEach(async () => {
  seen = []
  server = createHttpServer((request, response) => {
    seen.push(request.url)
    request.resume()
    response.end('answered')
  })
  url = `http://127.0.0.1:${await server.listen(0, '127.0.0.1')}`
})
afterEach(() => server.stop(0))

/** Everything that the server says before it closes the connection. */
async function send(...chunks: string[]): Promise<string> {
  const connection = await openConnection(url)
  for (const chunk of chunks) connection.send(chunk)
  return connection.ended
}

function expectRefused(answer: string, status: number, description: RegExp) {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  expect(head).toMatch(/\r\nContent-Type: application\/json; charset=utf-8\r\n/)
  expect(head).toMatch(/\r\nCache-Control: no-store\r\n/)
  expect(head).toMatch(/\r\nConnection: close(\r\n|$)/)
  expect(head).toMatch(/\r\nX-Request-Id: [\w-]+\r\n/)
  // One answer and nothing after it.
  expect(JSON.parse(body)).toEqual({
    error: 'invalid_request',
    error_description: expect.stringMatching(description),
  })
  expect(seen).toEqual([])
}

/** A request with `count` headers, Host included. */
const withHeaders = (count: number, last = 'X-Last: x') =>
  [
    'GET /many HTTP/1.1',
    'Host: test',
    ...Array.from({ length: count - 2 }, (_, i) => `X-${i}: x`),
    last,
  ].join('\r\n') + '\r\n\r\n'

describe('the number of headers', () => {
  test('may be 100', async () => {
    expect(await send(withHeaders(100, 'Connection: close'))).toMatch(/^HTTP\/1\.1 200 /)
    expect(seen).toEqual(['/many'])
  })

  // Node's parser hands headers over by 32, and by itself drops those beyond 2,000.
  test.each([101, 102, 128, 129, 2000, 2001, 5000])('may not be %i', async (count) => {
    expectRefused(await send(withHeaders(count)), 431, /more than 100 headers/)
  })

  test('counts a repeated header each time', async () => {
    const headers = 'Cookie: a=b\r\n'.repeat(100)
    const answer = await send(`GET / HTTP/1.1\r\nHost: test\r\n${headers}\r\n`)
    expectRefused(answer, 431, /more than 100 headers/)
  })

  test('is refused with the request id that was sent, if that is valid', async () => {
    expect(await send(withHeaders(101, 'X-Request-Id: mine'))).toMatch(/\r\nX-Request-Id: mine\r\n/)
    expect(await send(withHeaders(101, 'X-Request-Id: a b'))).toMatch(
      /\r\nX-Request-Id: [0-9a-f-]{36}\r\n/,
    )
  })
})

test.each(['0.9', '2.0'])('HTTP/%s on a request line is refused', async (version) => {
  const answer = await send(`GET / HTTP/${version}\r\nHost: test\r\n\r\n`)
  expectRefused(answer, 400, /not an HTTP request/)
})

test.each(['', 'Connection: keep-alive\r\n'])('HTTP/1.0 is answered (%j)', async (header) => {
  const request = `GET /old HTTP/1.0\r\nHost: test\r\n${header}\r\n`
  const connection = await openConnection(url)
  connection.send(request)
  await connection.until(/^HTTP\/1\.1 200 [^]*answered/)
  connection.close()
  expect(seen).toEqual(['/old'])
})

const CHUNKS = '2\r\n{}\r\n0\r\n\r\n'
const post = (version: string, ...headers: string[]) =>
  [`POST /chunks HTTP/${version}`, 'Host: test', ...headers].join('\r\n') + `\r\n\r\n`

test('a chunked body is accepted over HTTP/1.1, in whatever case its coding is written', async () => {
  for (const coding of ['chunked', 'Chunked']) {
    const request = post('1.1', `Transfer-Encoding: ${coding}`, 'Connection: close') + CHUNKS
    expect(await send(request)).toMatch(/^HTTP\/1\.1 200 /)
  }
  expect(seen).toEqual(['/chunks', '/chunks'])
})

const CODINGS: [string, string[], RegExp][] = [
  ['1.0', ['Transfer-Encoding: chunked'], /needs HTTP\/1\.1/],
  ['1.0', ['Transfer-Encoding: chunked', 'Connection: keep-alive'], /needs HTTP\/1\.1/],
  ['1.1', ['Transfer-Encoding: gzip, chunked'], /only Transfer-Encoding/],
  // The parser objects too, once the body comes.
  ['1.1', ['Transfer-Encoding: identity'], /only Transfer-Encoding/],
]
describe.each(CODINGS)('HTTP/%s with %j', (version, headers, description) => {
  test('is refused', async () => {
    expectRefused(await send(post(version, ...headers) + CHUNKS), 400, description)
  })

  test.each(['in the same packet', 'later'])(
    'is refused, and what follows %s is not taken for a request',
    async (when) => {
      const next = 'GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n'
      const request = post(version, ...headers) + CHUNKS
      const answer = await (when === 'later' ? send(request, next) : send(request + next))
      expectRefused(answer, 400, description)
    },
  )
})

test('bytes after the last request of a connection do not replace its answer', async () => {
  const answer = await send('GET /last HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\nmore')
  expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*answered$/)
  expect(seen).toEqual(['/last'])
})
