import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import Koa from 'koa'
import type { AppContext, RequestState } from '../../server/http/context.ts'
import { createHttpServer, type HttpServer } from '../../server/listener/http-server.ts'
import { createLogger } from '../../server/log/logger.ts'
import { requestId } from '../../server/http/request-log.ts'
import { unsentAnswers } from '../../server/listener/unsent-answers.ts'

interface Line {
  readonly level: string
  readonly msg: string
  readonly request_id: string
  readonly err?: { readonly message: string; readonly stack: string }
}

let server: HttpServer
let port: number
let handler: (ctx: AppContext) => unknown
let lines: Line[]
let onLine: (() => void) | undefined

beforeEach(async () => {
  lines = []
  const logger = createLogger('trace', {
    write(line) {
      lines.push(JSON.parse(line) as Line)
      onLine?.()
    },
  })
  const app = new Koa<RequestState>()
  app.use(requestId(logger))
  app.use((ctx) => handler(ctx as AppContext))
  app.on('error', unsentAnswers(logger))
  const callback = app.callback()
  server = createHttpServer((request, response) => void callback(request, response))
  port = await server.listen(0, '127.0.0.1')
})
afterEach(() => server.stop(0))

const logged = () => new Promise<void>((resolve) => (onLine = resolve))

async function open() {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write('GET / HTTP/1.1\r\nHost: test\r\nX-Request-Id: gone\r\n\r\n')
  return socket
}

test.each<[string, (ctx: AppContext) => void, string]>([
  ['a client that resets the connection', () => undefined, 'ECONNRESET'],
  [
    'a client that disconnects in the middle of a stream',
    (ctx) => {
      ctx.body = new Readable({
        read() {
          // Has more to send even after the client has gone.
          this.push('some')
        },
      })
    },
    'ERR_STREAM_PREMATURE_CLOSE',
  ],
])('%s is logged at the debug level, not as an error', async (_, prepare, code) => {
  let answer: () => void = () => undefined
  const waiting = new Promise<void>((resolve) => {
    handler = (ctx) => {
      prepare(ctx)
      resolve()
      return ctx.body === undefined ? new Promise<void>((resolve) => (answer = resolve)) : undefined
    }
  })
  const socket = await open()
  await waiting
  const line = logged()
  if (code === 'ECONNRESET') socket.resetAndDestroy()
  else socket.once('data', () => socket.destroy())
  await line
  answer()
  expect(lines[0]).toMatchObject({ level: 'debug', request_id: 'gone', msg: 'client went away' })
  expect(lines.map(({ level, err }) => [level, err])).toEqual(lines.map(() => ['debug', undefined]))
})

test('another error is logged with its stack, even if its code is ECONNRESET', async () => {
  handler = () => {
    throw Object.assign(new Error('the database hung up'), { code: 'ECONNRESET' })
  }
  const line = logged()
  const socket = await open()
  await line
  socket.destroy()
  expect(lines).toEqual([
    expect.objectContaining({
      level: 'error',
      request_id: 'gone',
      msg: 'answer could not be sent',
      err: expect.objectContaining({
        message: 'the database hung up',
        stack: expect.stringContaining('at '),
      }),
    }),
  ])
})

test('an error without a context is logged as an error', () => {
  const logger = createLogger('trace', { write: (line) => void lines.push(JSON.parse(line)) })
  unsentAnswers(logger)(new Error('no context'))
  expect(lines).toEqual([expect.objectContaining({ level: 'error' })])
})
