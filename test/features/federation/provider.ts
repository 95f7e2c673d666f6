/** A simple OpenID provider on its own port, with real keys. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKeyPairSync, randomUUID, type JsonWebKey, type KeyObject } from 'node:crypto'
import { CompactSign, decodeJwt } from 'jose'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Feature } from '../../../server/feature.ts'
import { federation } from '../../../server/features/federation/index.ts'
import type { TestClock } from '../../support/clock.ts'
import { TestClient, type Answer, type TestSession } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { certificateOf } from './certificate.ts'

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'
export const AUDIENCE = 'app-at-the-provider'

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export function makeKey(alg: 'RS256' | 'ES256' = 'ES256', kid: string = randomUUID()): SigningKey {
  const pair =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, alg, ...pair }
}

export const jwkOf = ({ kid, alg, publicKey }: SigningKey): JsonWebKey => ({
  ...publicKey.export({ format: 'jwk' }),
  kid,
  alg,
  use: 'sig',
})

export async function sign(
  claims: object | string,
  { alg, kid, privateKey }: SigningKey,
  header: object = {},
): Promise<string> {
  const text = typeof claims === 'string' ? claims : JSON.stringify(claims)
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg, kid, typ: 'JWT', ...header })
    .sign(privateKey)
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void

export class Provider {
  readonly issuer: string
  /** The first one signs. */
  keys: SigningKey[]
  cacheControl: string | undefined
  /** Replaces every answer. */
  instead: Listener | undefined
  /** The paths that were requested. */
  readonly asked: string[] = []
  readonly #clock: () => number
  readonly #server

  private constructor(
    server: ReturnType<typeof createServer>,
    keys: SigningKey[],
    clock: () => number,
  ) {
    this.#server = server
    this.#clock = clock
    this.keys = keys
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.asked.push(request.url ?? '')
      const answer = this.instead ?? this.#answer.bind(this)
      answer(request, response)
    })
  }

  static async start(clock: () => number, keys = [makeKey()]): Promise<Provider> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Provider(server, keys, clock)
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** Its entry in the file of trusted issuers. */
  entry(changes: object = {}) {
    return {
      issuer: this.issuer,
      audiences: [AUDIENCE],
      discovery: true,
      algorithms: ['ES256', 'RS256'],
      sign_up: true,
      ...changes,
    }
  }

  /** The number of requests for its keys or another path. */
  count(path = '/jwks'): number {
    return this.asked.filter((each) => each === path).length
  }

  /** The claims of an ID token for a client. `undefined` removes a claim. */
  claims(clientId: string, changes: object = {}): Record<string, unknown> {
    const now = Math.floor(this.#clock() / 1000)
    return {
      iss: this.issuer,
      aud: AUDIENCE,
      sub: 'person-1',
      nonce: clientId,
      iat: now,
      exp: now + 3600,
      jti: randomUUID(),
      ...changes,
    }
  }

  async idToken(clientId: string, changes: object = {}, header: object = {}): Promise<string> {
    return sign(this.claims(clientId, changes), this.keys[0]!, header)
  }

  #answer({ url }: IncomingMessage, response: ServerResponse): void {
    const answers: Record<string, object> = {
      '/.well-known/openid-configuration': { issuer: this.issuer, jwks_uri: `${this.issuer}/jwks` },
      '/jwks': { keys: this.keys.map(jwkOf) },
    }
    const body =
      url === '/certificates'
        ? Object.fromEntries(this.keys.map((key) => [key.kid, certificateOf(key, this.#clock())]))
        : answers[url ?? '']
    const headers = this.cacheControl === undefined ? {} : { 'cache-control': this.cacheControl }
    response.writeHead(body === undefined ? 404 : 200, headers).end(JSON.stringify(body ?? {}))
  }
}

/** Writes a file of trusted issuers, and returns its path. */
export function issuersFile(content: unknown): string {
  const path = join(mkdtempSync(join(tmpdir(), 'issuers-')), 'trusted-issuers.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** A server that trusts these issuers. */
export async function startFederated(
  clock: TestClock,
  entries: readonly object[],
  features: readonly Feature[] = [],
  variables: Record<string, string> = {},
): Promise<{ server: TestServer; client: TestClient }> {
  const server = await startTestServer({
    clock,
    features: [federation, ...features],
    variables: { ...UNLIMITED, TRUSTED_ISSUERS: issuersFile(entries), ...variables },
  })
  return { server, client: await TestClient.registered(server.url) }
}

const UNLIMITED = Object.fromEntries(
  ['LOGIN', 'SIGN_UP', 'CLIENTS', 'REFRESH'].map((name) => [`RATE_LIMIT_${name}`, 'off']),
)

export const exchange = (
  client: TestClient,
  subject_token: unknown,
  changes: object = {},
): Promise<Answer> =>
  client.send('POST', '/token', {
    grant_type: EXCHANGE,
    subject_token,
    subject_token_type: ID_TOKEN,
    client_id: client.id,
    ...changes,
  })

/** Exchanges an ID token that must be accepted, and opens the session. */
export async function exchanged(client: TestClient, token: string): Promise<TestSession> {
  const answer = await exchange(client, token)
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
  const { access_token, refresh_token, session_id, database_key } = answer.body
  return {
    accessJws: await client.open(access_token),
    refreshJws: await client.open(refresh_token),
    sessionId: session_id,
    databaseKey: database_key,
    answer,
  }
}

export const subjectOf = (jws: string): string => decodeJwt(jws).sub!

export const REFUSED = {
  error: 'invalid_request',
  error_description:
    'The subject token is not valid, has expired, was used, or belongs to no known account.',
}
