import { features } from '../server/features.ts'
import { ENCRYPTION_ENCS, type EncryptionEnc } from '../protocol/algorithms.ts'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { devNull } from 'node:os'
import { loadConfig } from '../server/config/config.ts'
import { createLogger } from '../server/log/logger.ts'
import { startServer } from '../server/start.ts'
import { createHttpServer } from '../server/resource-server/index.ts'
import { createNotesService } from './notes-service.ts'

/** The server that the demo talks to. */
export interface DemoServer {
  readonly url: string
  /** Its ISSUER. */
  readonly issuer: string
  /** The content encryption of tokens to it. */
  readonly enc: EncryptionEnc
  /** Whether it takes sealed bodies. */
  readonly offersSealing: boolean
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
  return { ...(await findServer(server.url)), stop: () => server.stop() }
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
  const { issuer, access_token_encryption_enc_values_supported: encs } = metadata ?? {}
  const enc = ENCRYPTION_ENCS.find((name) => Array.isArray(encs) && encs[0] === name)
  if (!response.ok || typeof issuer !== 'string' || enc === undefined) {
    throw new DemoError(`The server at ${base} is not a jwe-auth-server.`)
  }
  const offersSealing = metadata?.['sealed_bodies'] !== undefined
  return { url: base, issuer, enc, offersSealing, stop: () => Promise.resolve() }
}

/** Starts the notes service of notes-service.ts, for the tokens of a server. */
export async function startNotes({
  url: server,
  issuer,
}: DemoServer): Promise<Pick<DemoServer, 'url' | 'stop'>> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const app = await createNotesService({
    issuer,
    url,
    logger: createLogger('silent'),
    // The server may be reached at another address than its issuer.
    fetch: (asked, init) => fetch(asked.replace(issuer, server), init),
  })
  const callback = app.callback()
  const service = createHttpServer((request, response) => void callback(request, response))
  await service.listen(port, '127.0.0.1')
  return { url, stop: () => service.stop(1000) }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
