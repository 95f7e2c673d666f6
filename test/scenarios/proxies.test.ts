/** The proxies of docs/deployment.md, "Behind a proxy", configured as the page shows. */
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { someEmail, TestClient } from '../support/client.ts'
import { describeInstalled, findProgram } from '../support/describe-installed.ts'
import { freePort } from '../support/process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** An address of this machine that is not the proxy's. */
const CLIENT_ADDRESS = '127.0.0.2'

interface Setting {
  /** The page's configuration, with this test's ports and certificate. */
  readonly shown: string
  readonly folder: string
  readonly certificate: string
  readonly key: string
}
const proxies = {
  nginx: {
    fence: 'nginx',
    configure: ({ shown, folder }: Setting) => `
      daemon off; pid ${folder}/pid; error_log stderr; ${process.getuid?.() === 0 ? 'user root;' : ''}
      events {}
      http {
        access_log off;
        client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
        fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
        ${shown}
      }`,
    args: (file: string) => ['-c', file],
  },
  caddy: {
    fence: 'caddyfile',
    configure: ({ shown, certificate, key }: Setting) =>
      `{\n admin off\n auto_https disable_redirects\n}\n` +
      shown.replace('{', `{\n tls ${certificate} ${key}`),
    args: (file: string) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
}

let page: string
let folder: string
let server: TestServer
let proxy: ChildProcess
let port: number
let certificate: string

beforeAll(async () => {
  page = await readFile(join(import.meta.dirname, '../../docs/deployment.md'), 'utf8')
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxy-'))
  certificate = join(folder, 'fullchain.pem')
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost',
    '-days',
    '1',
    '-out',
    certificate,
    '-keyout',
    join(folder, 'privkey.pem'),
  ])
  port = await freePort()
  const config = { issuer: `https://localhost:${port}`, trustedProxies: 1 }
  server = await startTestServer({ config })
})
afterEach(async () => {
  if (proxy.exitCode === null) {
    proxy.kill('SIGTERM')
    await once(proxy, 'exit')
  }
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

async function startProxy(name: keyof typeof proxies): Promise<void> {
  const { fence, configure, args } = proxies[name]
  const block = new RegExp('^```' + fence + '\\n([^]*?)^```', 'm').exec(page)![1]!
  const shown = block
    .replaceAll('/etc/letsencrypt/live/auth.yours.example', folder)
    .replace('listen 443', `listen ${port}`)
    .replaceAll('auth.yours.example', name === 'caddy' ? `localhost:${port}` : 'localhost')
    .replace('127.0.0.1:3000', new URL(server.url).host)
  const key = join(folder, 'privkey.pem')
  const file = join(folder, 'configuration')
  await writeFile(file, configure({ shown, folder, certificate, key }))
  const home = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  proxy = spawn(findProgram(name)!, args(file), { cwd: folder, env: { ...process.env, ...home } })
  const log = text(proxy.stderr!)
  for (;;) {
    const socket = connect(port, 'localhost')
    const isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isUp) return
    if (proxy.exitCode !== null) throw new Error(await log)
    await delay(50)
  }
}

/** Sends a request through the proxy, over TLS, from `CLIENT_ADDRESS`. */
async function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: number | undefined; body: string }> {
  const ca = await readFile(certificate)
  const options = { method, headers, ca, localAddress: CLIENT_ADDRESS, family: 4, agent: false }
  const sent = request(`https://localhost:${port}${path}`, options as object)
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: response.statusCode, body: await text(response) }
}

describeInstalled(
  {
    isInstalled: findProgram('nginx') !== undefined && findProgram('caddy') !== undefined,
    debian: 'nginx caddy',
    variable: 'REQUIRE_PROXIES',
  },
  'behind a proxy',
  () => {
    test.each(['nginx', 'caddy'] as const)(
      "%s passes on bindings, the client's address and long headers",
      async (name) => {
        const client = await TestClient.registered(server.url)
        const session = await client.signUp()
        await startProxy(name)

        const iat = Math.floor(server.clock() / 1000)
        const htu = `${server.config.issuer}/account`
        const req = { jti: randomUUID(), iat, htm: 'GET', htu }
        const authorization = `Bearer ${await client.seal(session.accessJws, { req })}`
        const read = await send('GET', '/account', { authorization })
        expect([read.status, JSON.parse(read.body).database_key]).toEqual([
          200,
          session.databaseKey,
        ])
        expect((await send('GET', '/account', { authorization })).status).toBe(401)

        const json = { 'content-type': 'application/json' }
        const wrong = { email: someEmail(), password: 'not the one', client_id: client.id }
        const forged = { ...json, 'x-forwarded-for': '203.0.113.9' }
        const login = await send('POST', '/account/login', forged, JSON.stringify(wrong))
        expect(login.status).toBe(401)
        const failed = server.logs.find((line) => line.includes('"audit":"login_failed"'))
        expect(JSON.parse(failed!)).toMatchObject({ source: CLIENT_ADDRESS })

        // Refused by the server, not by the proxy.
        const tooLong = await send('GET', '/account', {
          authorization: `Bearer ${'x'.repeat(9000)}`,
        })
        expect([tooLong.status, JSON.parse(tooLong.body).error]).toEqual([401, 'invalid_token'])
      },
    )
  },
)
