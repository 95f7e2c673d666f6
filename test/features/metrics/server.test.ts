import { createServer, type AddressInfo, type Server } from 'node:net'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from '@jest/globals'
import { loadConfig } from '../../../server/config/config.ts'
import type { Feature } from '../../../server/feature.ts'
import { createMetrics, metrics } from '../../../server/features/metrics/index.ts'
import { createMetricsServer } from '../../../server/features/metrics/metrics-server.ts'
import { createLogger } from '../../../server/log/logger.ts'
import { startServer, type RunningServer } from '../../../server/start.ts'
import { StartupError } from '../../../server/errors/startup-error.ts'
import { testConfig } from '../../support/config.ts'
import { openConnection } from '../../support/process.ts'
import { metricsUrlIn, scrape } from './scrape.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

interface Options {
  readonly feature?: Feature
  readonly port?: number
  readonly variables?: Record<string, string>
}

async function start({ feature = createMetrics({ port: 0 }), port = 0, variables }: Options = {}) {
  const logs: string[] = []
  const logger = createLogger('info', { write: (line) => void logs.push(line) })
  const config = { ...testConfig({}, variables, [feature]), port }
  const server = await startServer(config, [feature], logger)
  cleanups.push(() => server.stop())
  return { server, metricsUrl: metricsUrlIn(logs) }
}

async function stop(server: RunningServer): Promise<void> {
  cleanups.pop()
  await server.stop()
}

/** A port that stays taken during the test. */
async function takenPort(): Promise<number> {
  const server: Server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  cleanups.push(() => once(server.close(), 'close'))
  return (server.address() as AddressInfo).port
}

async function problemsOf(options: Options): Promise<readonly string[]> {
  const error = await start({ feature: metrics, ...options }).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(StartupError)
  return (error as StartupError).problems
}

describe('metrics', () => {
  test('are on their own port of this machine, and not on the public one', async () => {
    const { server, metricsUrl } = await start({ variables: { HOST: '::' } })
    expect(metricsUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    const answer = await fetch(`${metricsUrl}/metrics?x=1`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ])
    const head = await fetch(`${metricsUrl}/metrics`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    const { port } = new URL(server.url)
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(404)
  })

  test.each([
    ['GET', '/', 404],
    ['GET', '/healthz', 404],
    ['GET', '/metrics/', 404],
    ['POST', '/metrics', 405],
  ])('have no other path or method: %s %s is %i', async (method, path, status) => {
    const { metricsUrl } = await start()
    const answer = await fetch(metricsUrl + path, { method })
    expect([answer.status, await answer.text()]).toEqual([status, ''])
    expect(answer.headers.get('allow')).toBe(status === 405 ? 'GET, HEAD' : null)
  })

  test('are gone when the server has stopped', async () => {
    const { server, metricsUrl } = await start()
    await scrape({ metricsUrl })
    await stop(server)
    await expect(openConnection(metricsUrl)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('are separate for each server', async () => {
    const [one, two] = [await start(), await start()]
    await fetch(`${one.server.url}/healthz`)
    const sample =
      'auth_http_request_duration_seconds_count{method="GET",route="/healthz",status="200"}'
    expect((await scrape(one)).get(sample)).toBe(1)
    expect((await scrape(two)).get(sample)).toBeUndefined()
  })

  test('that cannot be collected are a 500, and the log says why', async () => {
    const logs: string[] = []
    const registry = {
      contentType: 'text/plain',
      metrics: () => Promise.reject(new Error('out of numbers')),
    }
    const logger = createLogger('info', { write: (line) => void logs.push(line) })
    const server = createMetricsServer(registry, logger)
    cleanups.push(() => server.stop(0))
    const port = await server.listen(0, '127.0.0.1')
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`)
    expect([answer.status, await answer.text()]).toEqual([500, ''])
    expect(logs.join('')).toMatch(/out of numbers.*the metrics cannot be collected/)
  })
})

describe('the server does not start', () => {
  test('if METRICS_PORT and PORT are taken, and reports both', async () => {
    const [port, metricsPort] = [await takenPort(), await takenPort()]
    const variables = { METRICS_PORT: `${metricsPort}` }
    expect(await problemsOf({ port, variables })).toEqual([
      expect.stringMatching(new RegExp(`^Port ${port} of .* is taken.*another PORT`)),
      expect.stringMatching(
        new RegExp(`^Port ${metricsPort} of .* is taken.*another METRICS_PORT`),
      ),
    ])
  })

  test('if METRICS_HOST is not an address of this machine', async () => {
    const variables = { METRICS_PORT: '1', METRICS_HOST: '203.0.113.1' }
    expect(await problemsOf({ variables })).toEqual([
      expect.stringMatching(/cannot listen on METRICS_HOST 203\.0\.113\.1, METRICS_PORT 1 \(E/),
    ])
  })

  test('if METRICS_PORT equals PORT', async () => {
    const port = await takenPort()
    const problems = await problemsOf({ port, variables: { METRICS_PORT: `${port}` } })
    expect(problems).toContain(
      `METRICS_PORT is ${port}, as is PORT. Choose another, so that metrics are not public.`,
    )
  })

  test.each(['0', '65536', '-1', '9464/metrics', 'on'])('if METRICS_PORT is %s', (value) => {
    const load = () =>
      loadConfig([metrics], { METRICS_PORT: value, PORT: 'x' }, '/nonexistent/.env')
    expect(load).toThrow(
      'PORT must be a whole number from 1 to 65535.\nMETRICS_PORT must be a whole number from 1 to 65535.',
    )
  })
})
