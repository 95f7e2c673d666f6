// The subjects to compare. Each is a server and the requests to it.
import { mkdtempSync, rmSync } from 'node:fs'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompactEncrypt, SignJWT } from 'jose'
import { account, healthz, ourSubject, refresh } from './our-subjects.js'
import { startOurServer } from './our-server.js'
import { freePort, startProgram } from './processes.js'
import { httpRequest } from './seal.js'

const ISSUER = 'https://issuer.bench.test'
const jwkOf = (key) => key.export({ format: 'jwk' })
const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const encryption = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const encryptionKid = 'bench'
const secret = randomBytes(32).toString('hex')

/** Starts a peer, whose only request comes from `request`. */
async function startPeer(name, environment, request) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const folder = mkdtempSync(join(tmpdir(), 'jwe-auth-bench-'))
  const program = await startProgram(join(import.meta.dirname, 'peers', `${name}.js`), {
    PORT: String(port),
    BENCH_ISSUER: ISSUER,
    BENCH_SECRET: secret,
    BENCH_DATABASE: join(folder, 'peer.db'),
    BENCH_KEYS: JSON.stringify({
      signing: jwkOf(signing.publicKey),
      signingPrivate: { ...jwkOf(signing.privateKey), use: 'sig', alg: 'ES256', kid: 'sig' },
      encryption: { ...jwkOf(encryption.privateKey), kid: encryptionKid },
    }),
    ...environment,
  })
  const bytes = await request(url)
  return {
    ...program,
    url,
    prepare: () => ({ next: () => bytes }),
    async stop() {
      await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const signJwt = () =>
  new SignJWT({
    client_id: 'client',
    sid: 'e2b6a2f0-61f8-4a09-9d5a-9fb7cbb3d4a1',
    scope: 'account',
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'sig' })
    .setIssuer(ISSUER)
    .setAudience('bench')
    .setSubject('d7d7ac2b-62f9-4a35-8f04-ae1e1ec3bc0b')
    .setIssuedAt()
    .setJti('4f6b0b2f-3d9c-4f5e-bb8e-0a7d9b1b51f3')
    .setExpirationTime('6h')
    .sign(signing.privateKey)

const encryptJwt = async () =>
  new CompactEncrypt(Buffer.from(await signJwt()))
    .setProtectedHeader({ alg: 'ECDH-ES+A128KW', enc: 'A128GCM', cty: 'JWT', kid: encryptionKid })
    .encrypt(encryption.publicKey)

const get = (headers) => async (url) => httpRequest(url, 'GET', '/', await headers?.())
const plain = get(async () => ({ Authorization: `Bearer ${await signJwt()}` }))
const nested = get(async () => ({ Authorization: `Bearer ${await encryptJwt()}` }))

/** Signs up, and requests the session with the cookies of the answer. */
async function betterAuthSession(url) {
  const response = await fetch(`${url}/api/auth/sign-up/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url },
    body: JSON.stringify({ name: 'A', email: 'a@bench.test', password: 'a long and winding road' }),
  })
  if (!response.ok) throw new Error(`better-auth: ${response.status} ${await response.text()}`)
  const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(';')[0])
  return httpRequest(url, 'GET', '/api/auth/get-session', { Cookie: cookies.join('; ') })
}

function clientCredentials(url) {
  const headers = {
    Authorization: `Basic ${Buffer.from(`bench:${secret}`).toString('base64')}`,
    'Content-Type': 'application/x-www-form-urlencoded',
  }
  return httpRequest(url, 'POST', '/token', headers, 'grant_type=client_credentials&scope=read')
}

/** One server of ours, shared by all its subjects. */
let ours
const startOurs = async (connections) =>
  (ours ??= await startOurServer(connections, { keyBound: connections }))

export const SUBJECTS = [
  { name: 'Koa alone', start: () => startPeer('koa', {}, get()) },
  { name: 'Koa + jose, plain ES256', start: () => startPeer('koa-jose', {}, plain) },
  { name: 'koa-jwt, plain ES256', start: () => startPeer('koa-jwt', {}, plain) },
  { name: 'Koa + fast-jwt, plain ES256', start: () => startPeer('koa-fast-jwt', {}, plain) },
  {
    name: 'Koa + fast-jwt, cached',
    start: () => startPeer('koa-fast-jwt', { FAST_JWT_CACHE: '1' }, plain),
  },
  { name: 'Koa + jose, nested', start: () => startPeer('koa-jose-nested', {}, nested) },
  {
    name: 'better-auth get-session, database',
    start: () => startPeer('better-auth', {}, betterAuthSession),
  },
  {
    name: 'better-auth get-session, cookie',
    start: () => startPeer('better-auth', { BETTER_AUTH_COOKIE: '1' }, betterAuthSession),
  },
  {
    name: 'oidc-provider, signed JWT',
    start: () => startPeer('oidc-provider', {}, clientCredentials),
  },
  {
    name: 'oidc-provider, encrypted JWT',
    start: () => startPeer('oidc-provider', { BENCH_ENCRYPT: '1' }, clientCredentials),
  },
  ourSubject('GET /healthz', startOurs, healthz),
  ourSubject('GET /account', startOurs, account({ bound: false })),
  ourSubject('GET /account, bound', startOurs, account({ bound: true })),
  ourSubject('GET /account, bound, key-bound', startOurs, account({ bound: true, keyBound: true })),
  ourSubject(
    'GET /account, bound, fresh agreements',
    startOurs,
    account({ bound: true, perAgreement: 1 }),
  ),
  ourSubject('POST /token', startOurs, refresh),
]
