// A server of its own for a measurement, and a client for it. Run `npm run build` first.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompactEncrypt, compactDecrypt, exportJWK, generateKeyPair, importJWK } from 'jose'

const PROJECT = join(import.meta.dirname, '..')

/** Starts the built server on a free port, with an empty database and no rate limits. */
export async function startServer(environment = {}) {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'jwe-auth-bench-'))
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(PROJECT, 'dist/server/index.js')],
    {
      env: {
        PATH: process.env.PATH,
        PORT: String(port),
        ISSUER: `http://127.0.0.1:${port}`,
        DATABASE_URL: `file:${join(folder, 'auth.db')}`,
        PRESERVE_SESSIONS_ON_REBOOT: '0',
        LOG_LEVEL: 'info',
        RATE_LIMIT_LOGIN: 'off',
        RATE_LIMIT_SIGN_UP: 'off',
        RATE_LIMIT_CLIENTS: 'off',
        RATE_LIMIT_RESET: 'off',
        RATE_LIMIT_REFRESH: 'off',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (data) => String(data).includes('Ready at') && resolve())
    child.once('exit', () => reject(new Error('the server did not start')))
  })
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM')
      await new Promise((resolve) => child.once('exit', resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A registered client. */
export async function registerClient(url) {
  const { publicKey, privateKey } = await generateKeyPair('ECDH-ES+A128KW', { crv: 'P-256' })
  const jwk = { ...(await exportJWK(publicKey)), use: 'enc' }
  const { body } = await send(url, 'POST', '/clients', { jwks: { keys: [jwk] } })
  const { keys } = (await send(url, 'GET', '/.well-known/jwks.json')).body
  const serverJwk = keys.find((key) => key.use === 'enc')
  const serverKey = await importJWK(serverJwk)
  return {
    id: body.client_id,
    serverJwk,
    open: async (jwe) => (await compactDecrypt(jwe, privateKey)).plaintext,
    seal: (jws) =>
      new CompactEncrypt(jws)
        .setProtectedHeader({
          alg: serverJwk.alg,
          enc: 'A128GCM',
          kid: serverJwk.kid,
          cty: 'JWT',
        })
        .encrypt(serverKey),
  }
}

/** Sends JSON; gives the status, the body, the headers and the time it took in milliseconds. */
export async function send(url, method, path, body, headers = {}) {
  const start = performance.now()
  const response = await fetch(url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const text = await response.text()
  const ms = performance.now() - start
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
    ms,
  }
}

/** The q-th quantile of some numbers. */
export function quantile(numbers, q) {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
