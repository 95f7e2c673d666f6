import { features } from '../server/features.ts'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { devNull } from 'node:os'
import { loadConfig } from '../server/config/config.ts'
import { createLogger } from '../server/log/logger.ts'
import { startServer } from '../server/start.ts'

/** The server that the demo talks to. */
export interface DemoServer {
  readonly url: string
  /** Its ISSUER. */
  readonly issuer: string
  stop(): Promise<void>
}

/** An error to show to the user as one sentence. */
export class DemoError extends Error {}

/** Starts a server for the demo, on a free port, with new keys. It keeps nothing on disk. */
export async function startOwnServer(): Promise<DemoServer> {
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const variables = { PORT: String(port), ISSUER: issuer, DATABASE_URL: 'file::memory:' }
  // Ignores the environment and .env, so that the demo is the same for everybody.
  const config = loadConfig(features, variables, devNull)
  const server = await startServer(config, features, createLogger('silent'))
  return { url: server.url, issuer, stop: () => server.stop() }
}

/**
 * Finds the server at a URL.
 *
 * @throws DemoError if it does not answer, or is not a jwe-auth-server.
 */
export async function findServer(url: string): Promise<DemoServer> {
  if (!/^https?:/.test(url) || !URL.canParse(url)) {
    throw new DemoError(`"${url}" is not a URL. Use one such as http://localhost:3000.`)
  }
  const base = url.replace(/\/+$/, '')
  const response = await fetch(`${base}/.well-known/oauth-authorization-server`).catch(() => {
    throw new DemoError(`No server answers at ${base}. Start one with: npm start`)
  })
  const metadata = (await response.json().catch(() => undefined)) as
    Record<string, unknown> | null | undefined
  const { issuer, access_token_encryption_alg_values_supported: algs } = metadata ?? {}
  if (!response.ok || typeof issuer !== 'string' || !Array.isArray(algs)) {
    throw new DemoError(`The server at ${base} is not a jwe-auth-server.`)
  }
  return { url: base, issuer, stop: () => Promise.resolve() }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
