/** Connects the client library to a real server, through a wire that a test can tap. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from '@jest/globals'
import { AuthClient } from '../../client/auth-client.ts'
import { AuthError } from '../../client/errors.ts'
import type { Fetch } from '../../client/http.ts'
import type { AuthClientOptions } from '../../client/options.ts'
import { memoryStore } from '../../client/stores/memory-store.ts'
import type { ClientStore } from '../../client/stores/client-store.ts'
import type { Config } from '../../server/config/config.ts'
import { createKeystore, type Keystore } from '../../server/keystore/keystore.ts'
import { generateKeyPair, type KeyPair } from '../../server/keystore/key-pair.ts'
import type { Algorithms } from '../../protocol/algorithms.ts'
import { DEFAULTS, keySet, ring } from '../keystore/fixtures.ts'
import { GOOD_PASSWORD, someEmail } from './client.ts'
import { UNLIMITED } from './config.ts'
import { startTestServer, type TestServer } from './server.ts'

type Handler = (request: Request, send: Fetch) => Promise<Response>

/** A `fetch` that records requests, and lets a test intercept them. */
export class Wire {
  /** Every request, with its method and path as one line. */
  readonly sent: { readonly request: Request; readonly line: string }[] = []
  /** Whether every request fails before it reaches the server. */
  isDown = false
  readonly #handlers = new Map<string, Handler>()

  readonly fetch: Fetch = (request) => {
    const line = `${request.method} ${new URL(request.url).pathname}`
    this.sent.push({ request: request.clone(), line })
    if (this.isDown) return Promise.reject(new TypeError('fetch failed'))
    const handler = this.#handlers.get(line)
    return handler === undefined ? fetch(request) : handler(request, (passed) => fetch(passed))
  }

  /** How often a method and path, such as `POST /token`, was sent. */
  count(line: string): number {
    return this.sent.filter((sent) => sent.line === line).length
  }

  /** Passes requests with this method and path to `handler`; `undefined` stops that. */
  on(line: string, handler: Handler | undefined): void {
    if (handler === undefined) this.#handlers.delete(line)
    else this.#handlers.set(line, handler)
  }

  /** Overrides members of the answers to a method and path. A member that is `undefined` is removed. */
  change(line: string, changes: Record<string, unknown> | undefined): void {
    this.on(line, changes && (async (request, send) => withMembers(await send(request), changes)))
  }
}

async function withMembers(response: Response, changes: Record<string, unknown>) {
  const { status, headers } = response
  const body = { ...((await response.json()) as object), ...changes }
  return new Response(JSON.stringify(body), { status, headers })
}

export const jsonResponse = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  })

/** The server's answer to every access token that it refuses. */
export const refusedToken = () =>
  jsonResponse(
    { error: 'invalid_token', error_description: 'The access token is not valid.' },
    401,
    {
      'www-authenticate': 'Bearer realm="x", error="invalid_token", error_description="Not valid."',
    },
  )

export const startServer = (
  config: Partial<Config> = {},
  options: Parameters<typeof startTestServer>[0] = {},
): Promise<TestServer> =>
  startTestServer({ ...options, config: { rateLimits: UNLIMITED, ...config } })

/** A client of a server, with the server's clock unless `options` has another. */
export function clientOf(server: TestServer, options: Partial<AuthClientOptions> = {}) {
  const wire = new Wire()
  const store = options.store ?? memoryStore()
  const client = new AuthClient({
    server: server.url,
    issuer: server.config.issuer,
    clock: server.clock,
    fetch: wire.fetch,
    ...options,
    store,
  })
  return { client, wire, store }
}

export type Party = ReturnType<typeof clientOf> & { readonly email: string }

/** A client that is signed in to a new account. */
export async function signedUp(
  server: TestServer,
  options: Partial<AuthClientOptions> = {},
): Promise<Party> {
  const party = clientOf(server, options)
  const email = someEmail()
  await party.client.signUp({ email, password: GOOD_PASSWORD })
  return { ...party, email }
}

/** The session in a store. */
export const storedSession = (store: ClientStore) =>
  store.read('session') as Promise<Record<string, unknown> | undefined>

/** The code of the AuthError with which `work` fails. Success or any other error fails the test. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await errorOf(work)).code
}

export async function errorOf(work: Promise<unknown>): Promise<AuthError> {
  const error = await work.then(
    () => new Error('It did not fail.'),
    (error: unknown) => error,
  )
  if (error instanceof AuthError) return error
  throw error as Error
}

/** A signing key and an encryption key of the server, which rotate together. */
interface Generation {
  readonly sig: KeyPair
  readonly enc: KeyPair
}

/** A keystore without a folder, whose keys a test can rotate as an operator does. */
export async function rotatingKeystore(algorithms: Algorithms = DEFAULTS) {
  const generate = async (): Promise<Generation> => ({
    sig: await generateKeyPair('sig', algorithms),
    enc: await generateKeyPair('enc', algorithms),
  })
  let [current, next] = [await generate(), await generate()]
  let previous: Generation[] = []
  const removed: string[] = []
  const all = () => {
    const rings = (['sig', 'enc'] as const).map((use) =>
      ring(current[use], { next: next[use], previous: previous.map((keys) => keys[use]) }),
    )
    return { ...keySet(rings[0]!, rings[1]!), removed }
  }
  const keystore: Keystore = createKeystore(all())
  return {
    keystore,
    /** Makes the current keys previous and the next keys current, and generates next keys. */
    async rotate() {
      previous = [current, ...previous]
      current = next
      next = await generate()
      keystore.replace(all())
    },
    /** Removes the previous keys for good. */
    prune() {
      removed.push(...previous.flatMap(({ sig, enc }) => [sig.kid, enc.kid]))
      previous = []
      keystore.replace(all())
    },
    /** Replaces every key. */
    async regenerate() {
      previous = []
      current = await generate()
      next = await generate()
      keystore.replace(all())
    },
  }
}

const folders: string[] = []
afterAll(async () => {
  await Promise.all(folders.map((path) => rm(path, { recursive: true, force: true })))
})

/** Creates a folder that is removed at the end of the test file. */
export async function scratchFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'jwe-auth-client-'))
  folders.push(path)
  return path
}
