/** An auth server, another service that takes its tokens, and clients of both. */
import Router from '@koa/router'
import Koa from 'koa'
import { AuthClient, memoryStore } from '../../client/index.ts'
import {
  createHttpServer,
  createLogger,
  createServiceAuth,
  errors,
  readBody,
  requestId,
  requireScope,
  type ClaimsState,
  type RequestState,
  type ServiceAuthOptions,
} from '../../server/resource-server/index.ts'
import { createClock, type TestClock } from '../support/clock.ts'
import { GOOD_PASSWORD, someEmail } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

export const ISSUER = 'https://auth.test'

/** The connection from the service to the auth server, which can be cut. */
export interface Line {
  fetch: (url: string, init: RequestInit) => Promise<Response>
  /** The requested URLs. */
  readonly asked: string[]
  /** What stands in for the auth server. */
  instead: ((url: string) => Promise<Response>) | undefined
}

export function createLine(server: { readonly url: string }): Line {
  const line: Line = {
    asked: [],
    instead: undefined,
    async fetch(url, init) {
      line.asked.push(url)
      if (line.instead !== undefined) return line.instead(url)
      return fetch(url.replace(ISSUER, server.url), init)
    },
  }
  return line
}

export const away = (): Promise<Response> => Promise.reject(new TypeError('fetch failed'))

/** A request as it went over the wire. */
export interface Captured {
  readonly url: string
  readonly method: string
  readonly token: string
  readonly body: string
}

export interface Service {
  readonly url: string
  readonly logs: string[]
  stop(): Promise<void>
}

/** A service that answers every path with the claims and the body; `/admin` needs a scope. */
export async function startService(
  options: Partial<ServiceAuthOptions> & { readonly port?: number },
): Promise<Service> {
  const logs: string[] = []
  const logger = createLogger('trace', { write: (line) => void logs.push(line) })
  const app = new Koa<RequestState>()
  const server = createHttpServer((request, response) => void app.callback()(request, response))
  const url = `http://localhost:${await server.listen(options.port ?? 0, '127.0.0.1')}`
  const auth = await createServiceAuth({ issuer: ISSUER, url, logger, ...options })
  app.use(requestId(logger))
  app.use(errors())
  app.use(auth.jwks())
  app.use(readBody())
  app.use(auth.bearer())
  const router = new Router<ClaimsState>()
  router.all('/admin', requireScope('admin'))
  router.all('{/*path}', (ctx) => {
    ctx.body = { claims: ctx.state.claims, body: ctx.state.bodyBytes.toString() }
  })
  app.use(router.routes())
  return { url, logs, stop: () => server.stop(1000) }
}

export interface Scene {
  readonly clock: TestClock
  readonly server: TestServer
  readonly line: Line
  readonly service: Service
}

/** Both, with one clock. Tokens are not key-bound, so that a test can seal one in any way: see key-bound-tokens.test.ts. */
export async function setUp(
  options: Partial<ServiceAuthOptions> = {},
  clock = createClock(),
): Promise<Scene> {
  const server = await startTestServer({ clock, config: { issuer: ISSUER, keyBoundTokens: false } })
  const line = createLine(server)
  const service = await startService({ clock, fetch: line.fetch, ...options })
  return { clock, server, line, service }
}

export async function tearDown({ server, service }: Scene): Promise<void> {
  await service.stop()
  await server.stop()
}

/** Somebody who is signed in, on a client of their own that remembers what it sends. */
export async function createPerson({ clock, server, service }: Scene) {
  const sent: Captured[] = []
  const client = new AuthClient({
    server: server.url,
    issuer: ISSUER,
    services: [service.url],
    store: memoryStore(),
    clock,
    async fetch(request) {
      const { url, method, headers } = request
      const body = await request.clone().text()
      sent.push({ url, method, body, token: headers.get('authorization')?.slice(7) ?? '' })
      return fetch(request)
    },
  })
  await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
  const toService = () => sent.filter(({ url }) => url.startsWith(service.url))
  return {
    client,
    /** What went to the service with a token, oldest first. */
    toService: () => toService().filter(({ token }) => token !== ''),
    call: (path = '/', init?: RequestInit) =>
      client.fetch(service.url + path, {
        headers: { 'content-type': 'application/json' },
        ...init,
      }),
  }
}

export type Person = Awaited<ReturnType<typeof createPerson>>

/** Sends a captured or made-up request. */
export async function sendRaw({ url, method, token, body }: Captured): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return fetch(url, { method, headers, ...(body === '' ? {} : { body }) })
}
