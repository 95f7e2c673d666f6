import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, test } from '@jest/globals'
import Koa from 'koa'
import type { RequestState } from '../../server/http/context.ts'
import { accessLog, requestId } from '../../server/http/request-log.ts'
import { audit } from '../../server/log/audit.ts'
import { createLogger } from '../../server/log/logger.ts'
import { observe, type AccessLine } from '../../server/log/observers.ts'
import { createRefusedTokens } from '../../server/log/refused-tokens.ts'

const LEVELS = ['trace', 'fatal', 'silent']
const loggerOf = (level: string) => createLogger(level, { write: () => undefined })

test.each(LEVELS)(
  'observers of a logger receive the audit events of its children, at level %s',
  (level) => {
    const logger = loggerOf(level)
    const early = logger.child({ request_id: 'early' })
    const heard: unknown[] = []
    observe(logger, { onAudit: (event, subject) => heard.push([event, subject]) })
    observe(logger, { onAudit: (event) => heard.push(event) })
    audit(early, 'logout', { account_id: 'a' })
    audit(early.child({}).child({}, { level: 'error' }), 'login', {})
    audit(loggerOf(level), 'login_failed', {})
    expect(heard).toEqual([['logout', { account_id: 'a' }], 'logout', ['login', {}], 'login'])
  },
)

test('an observer of a child does not receive the events of its parent', () => {
  const logger = loggerOf('info')
  const heard: string[] = []
  observe(logger.child({}), { onAudit: (event) => heard.push(event) })
  audit(logger, 'login', {})
  expect(heard).toEqual([])
})

test('observers receive each refused access token, whenever it is logged', () => {
  const logger = loggerOf('fatal')
  const heard: string[] = []
  observe(logger, { onTokenRefused: (reason) => heard.push(reason) })
  const refused = createRefusedTokens(logger)
  for (const reason of ['exp', 'typ', 'exp'] as const) refused.count(reason)
  refused.flush()
  refused.flush()
  expect(heard).toEqual(['exp', 'typ', 'exp'])
})

test.each(LEVELS)('observers receive each answered request, at level %s', async (level) => {
  const logger = loggerOf(level)
  const lines: AccessLine[] = []
  observe(logger, { onRequest: (line) => lines.push(line) })
  const app = new Koa<RequestState>()
  app.use(requestId(logger)).use(accessLog(logger))
  app.use((ctx) => {
    ctx.state.route = '/things/:id'
    ctx.state.logged = { limit: 'requests' }
    ctx.status = 429
  })
  // Koa handles every rejection itself.
  const callback = app.callback()
  const server = createServer((request, response) => void callback(request, response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const headers = { 'x-request-id': 'r1', connection: 'close' }
  await fetch(`http://127.0.0.1:${port}/things/1`, { headers })
  await once(server.close(), 'close')
  expect(lines).toEqual([
    {
      request_id: 'r1',
      method: 'GET',
      route: '/things/:id',
      status: 429,
      limit: 'requests',
      ms: expect.any(Number),
    },
  ])
})
