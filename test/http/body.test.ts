import { ServerResponse, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import Koa from 'koa'
import { z } from 'zod'
import type { AppContext, RequestState } from '../../server/http/context.ts'
import { createHttpServer, type HttpServer } from '../../server/listener/http-server.ts'
import { parseBody, readBody } from '../../server/http/body.ts'
import { errors } from '../../server/http/error-handler.ts'
import { TestClient } from '../support/client.ts'
import { logLines } from '../support/log-lines.ts'
import { openConnection } from '../support/process.ts'
import { rawRequest } from '../support/raw-request.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const KIB = 1024

let server: TestServer
/** The body of a registration that gives 200. */
let good: Record<string, unknown>

beforeAll(async () => {
  server = await startTestServer()
  const client = await TestClient.registered(server.url)
  good = { jwks: { keys: [client.publicJwk] } }
})
afterAll(() => server.stop())

const post = (
  body: string | Uint8Array,
  type: string | undefined = 'application/json',
  headers: [string, string][] = [],
) =>
  rawRequest(server.url, '/clients', {
    method: 'POST',
    headers: [['Content-Type', type], ...headers],
    body,
  })

/** A context whose request is a stream. */
const contextOf = (req: Readable, length = '3') => {
  const headers = { 'content-type': 'application/json', 'content-length': length }
  const request = Object.assign(req, { headers, rawHeaders: [] }) as unknown as IncomingMessage
  return new Koa().createContext(request, new ServerResponse(request)) as unknown as AppContext
}
const read = (req: Readable, length?: string) =>
  Promise.resolve(readBody()(contextOf(req, length), () => Promise.resolve()))
const failing = (error: Error) =>
  new Readable({
    read() {
      this.destroy(error)
    },
  })

test.each([
  ['is shorter than it says', () => read(Readable.from([Buffer.from('abc')]), '4')],
  ['is cut off', () => read(failing(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })))],
  ['is only a byte order mark', () => read(Readable.from([Buffer.from('\uFEFF')]))],
])('a body that %s is refused', async (_, work) => {
  await expect(work()).rejects.toMatchObject({ code: 'invalid_request' })
})

test('a bug while reading a body is not reported as a malformed body', async () => {
  const bug = new TypeError('x is not a function')
  await expect(read(failing(bug))).rejects.toBe(bug)
  const stream = Readable.from([Buffer.from('{ }')])
  await read(stream)
  // The stream has already been read.
  await expect(read(stream)).rejects.toMatchObject({ type: 'stream.not.readable' })
})

test('a body that other middleware has already read is an internal error', async () => {
  const ctx = contextOf(Readable.from([Buffer.from('{ }')]))
  ctx.request.body = {}
  const work = async () => readBody()(ctx, () => Promise.resolve())
  await expect(work()).rejects.toThrow('Something else has read the body.')
})

test.each([
  'application/json',
  'APPLICATION/JSON',
  'application/json;charset=utf-8',
  'application/json; charset="UTF-8"',
  'application/json; charset=utf8',
  // RFC 9110 §5.6.6 allows white space on both sides of the semicolon.
  'application/json ; charset=utf-8',
])('a body of type %s is read', async (type) => {
  expect((await post(JSON.stringify(good), type)).status).toBe(200)
})

test.each([
  '',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/problem+json',
  'application/jsonx',
  'application/json; charset=utf-16',
  'application/json; charset=iso-8859-1',
  'application/json; charset=iso-8859-1; and-more',
  'application/json; charset=utf-8; charset=utf-16',
  'application/json; charset=utf-16; charset=utf-8',
  'application/json; charset=utf-8; charset=utf-8',
  'application/json; charset = utf-16',
  // koa-bodyparser would parse the first, and cannot read the others.
  'application/json-patch+json',
  'application/json; and-more',
  'json',
  'application/json; charset="utf-8',
])('a body of type "%s" is refused with 415', async (type) => {
  const answer = await post(JSON.stringify(good), type)
  expect(answer.status).toBe(415)
  expect(answer.body.error).toBe('unsupported_media_type')
})

test('a body in another charset is refused with 415 before it is parsed', async () => {
  const body = Buffer.from(JSON.stringify(good), 'utf16le')
  expect((await post(body, 'application/json; charset=utf-16')).status).toBe(415)
})

test('a body without a type is refused with 415', async () => {
  const answer = await rawRequest(server.url, '/clients', {
    method: 'POST',
    body: JSON.stringify(good),
  })
  expect([answer.status, answer.body.error]).toEqual([415, 'unsupported_media_type'])
})

test('two Content-Type headers are refused with 400', async () => {
  const answer = await post(JSON.stringify(good), undefined, [['content-type', 'text/plain']])
  expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
})

test.each([
  ['gzip', 415],
  ['br', 415],
  ['identity, gzip', 415],
  ['identity', 200],
  ['Identity', 200],
  ['', 200],
])('a body with Content-Encoding "%s" gives %i', async (encoding, status) => {
  const answer = await post(JSON.stringify(good), undefined, [['Content-Encoding', encoding]])
  expect(answer.status).toBe(status)
  if (status === 415) expect(answer.body.error).toBe('unsupported_media_type')
})

test.each<[string, string | Uint8Array]>([
  ['empty', ''],
  ['white space', '  \n'],
  ['half an object', '{"jwks":'],
  ['two objects', '{}{}'],
  ['a JSON array', '[]'],
  ['a JSON string', '"jwks"'],
  ['a JSON number', '1'],
  ['null', 'null'],
  ['a stray UTF-8 byte', Buffer.from('{"client_name":"\xff"}', 'latin1')],
  ['a UTF-8 sequence cut short', Buffer.from('{"client_name":"\xe2\x82"}', 'latin1')],
  ['a surrogate encoded as UTF-8', Buffer.from('{"client_name":"\xed\xa0\x80"}', 'latin1')],
  ['UTF-16', Buffer.from('{"client_name":"x"}', 'utf16le')],
  ['an object after a byte order mark', '\uFEFF{}'],
  ['a form', 'client_name=x'],
  ['an object with a member twice', '{"client_name":"x","client_name":"x"}'],
  ['an object with a member twice further in', '{"jwks":{"keys":[{"kty":"EC","\\u006bty":"EC"}]}}'],
])('a body that is %s is refused with 400', async (_, body) => {
  const answer = await post(body)
  expect(answer.status).toBe(400)
  expect(answer.body).toEqual({
    error: 'invalid_request',
    error_description: expect.any(String),
  })
})

test('an empty chunked body counts as no body', async () => {
  const answer = await rawRequest(server.url, '/clients', { method: 'POST' })
  expect(answer.body).toMatchObject({ error_description: 'A body is required.' })
})

test('unknown members are ignored', async () => {
  const text = `{"__proto__":{"jwks":1},"toString":1,"":[],${JSON.stringify(good).slice(1)}`
  expect((await post(text)).status).toBe(200)
})

describe('the limit of 64 KiB', () => {
  const padded = (size: number) => JSON.stringify(good).padEnd(size)

  test('a body of exactly 64 KiB is read', async () => {
    expect((await post(padded(64 * KIB))).status).toBe(200)
  })

  test.each([
    ['of a declared length', '/clients', (size: number) => [['Content-Length', String(size)]]],
    ['in chunks', '/clients', () => []],
    ['without the token that the route needs', '/account/logout', () => []],
  ] as [string, string, (size: number) => [string, string][]][])(
    'a body %s is refused with 413, and the connection closed',
    async (_, path, headers) => {
      const size = 64 * KIB + 1
      const answer = await rawRequest(server.url, path, {
        method: 'POST',
        headers: [['Content-Type', 'application/json'], ...headers(size)],
        body: padded(size),
      })
      expect([answer.status, answer.body.error]).toEqual([413, 'payload_too_large'])
      expect(answer.headers.get('connection')).toBe('close')
    },
  )
})

describe('Expect: 100-continue', () => {
  const head = (size: number) =>
    'POST /clients HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n' +
    `Expect: 100-continue\r\nContent-Length: ${size}\r\n\r\n`

  test('is answered with 100 for a body of 64 KiB', async () => {
    const connection = await openConnection(server.url)
    connection.send(head(64 * KIB))
    await connection.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    connection.send(JSON.stringify(good).padEnd(64 * KIB))
    await connection.until(/HTTP\/1\.1 200 OK\r\n/)
    connection.close()
  })

  test.each([
    ['/clients', 64 * KIB + 1],
    // As a 32-bit integer this would be 1.
    ['/clients', 2 ** 32 + 1],
    ['/nowhere', 64 * KIB + 1],
  ])(
    'is refused at once for a larger body, and the connection closed: %s, %i bytes',
    async (path, size) => {
      const connection = await openConnection(server.url)
      connection.send(head(size).replace('/clients', path))
      // No body is sent, so only an immediate answer can end the connection.
      const answer = await connection.ended
      expect(answer).toMatch(path === '/clients' ? /^HTTP\/1\.1 413 / : /^HTTP\/1\.1 404 /)
      expect(answer).toMatch(/\r\nConnection: close\r\n/)
      expect(answer).toMatch(/\r\nX-Request-Id: [\w-]+\r\n/)
      const body = JSON.parse(answer.split('\r\n\r\n')[1]!) as { error: string }
      expect(body.error).toBe(path === '/clients' ? 'payload_too_large' : 'not_found')
    },
  )
})

test('a body that its client breaks off is logged as a 400, not as an error of the server', async () => {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(
    'POST /clients HTTP/1.1\r\nHost: test\r\nX-Request-Id: broken-off\r\n' +
      'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"client',
    () => socket.destroy(),
  )
  const lines = () => logLines(server, 'broken-off')
  while (!lines().some(({ msg }) => msg === 'request')) await sleep(5)
  expect(lines()).toEqual([expect.objectContaining({ msg: 'request', status: 400 })])
})

describe('a form', () => {
  let http: HttpServer
  let url: string

  beforeAll(async () => {
    const app = new Koa<RequestState>()
    app.use(errors())
    app.use(readBody())
    app.use((ctx) => {
      ctx.body = parseBody(ctx as AppContext, z.record(z.string(), z.string()), { form: true })
    })
    const callback = app.callback()
    http = createHttpServer((request, response) => void callback(request, response))
    url = `http://127.0.0.1:${await http.listen(0, '127.0.0.1')}`
  })
  afterAll(() => http.stop(100))

  const send = (body: string | Uint8Array, type = 'application/x-www-form-urlencoded') =>
    rawRequest(url, '/', { method: 'POST', headers: [['Content-Type', type]], body })

  test.each<[string, string | Uint8Array, Record<string, string>]>([
    ['a value', 'a=1', { a: '1' }],
    ['two values and escapes', 'a=1+2&%62=%C3%A9', { a: '1 2', b: 'é' }],
    ['unescaped UTF-8', 'a=é', { a: 'é' }],
    ['parameters without a value, which are ignored,', 'a=1&b=&c', { a: '1' }],
  ])('with %s is read', async (_, body, members) => {
    const answer = await send(body)
    expect(answer.body).toEqual(members)
  })

  test('can be replaced by JSON', async () => {
    expect((await send('{"a":"1"}', 'application/json')).body).toEqual({ a: '1' })
  })

  test.each<[string, string | Uint8Array]>([
    ['nothing in it', ''],
    ['a parameter twice', 'a=1&a=1'],
    ['a parameter twice, once without a value', 'a=1&a='],
    ['a parameter twice, once escaped', 'a=1&%61=1'],
    ['bad UTF-8 in an escape', 'a=%FF'],
    ['bad UTF-8 in a name', '%C3=1'],
    ['bad UTF-8 unescaped', Buffer.from('a=\xff', 'latin1')],
  ])('with %s is refused with 400', async (_, body) => {
    const answer = await send(body)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded; charset=latin1'])(
    'of type %s is refused with 415',
    async (type) => {
      expect((await send('a=1', type)).status).toBe(415)
    },
  )
})
