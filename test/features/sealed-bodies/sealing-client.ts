/**
 * A client that seals its requests and opens sealed answers, as docs/features/sealed-bodies.md
 * describes them: on jose, and apart from the code that it tests.
 */
import { createHash, randomUUID } from 'node:crypto'
import {
  compactDecrypt,
  CompactEncrypt,
  createLocalJWKSet,
  decodeProtectedHeader,
  importJWK,
  jwtVerify,
  type JWK,
} from 'jose'
import { rawRequest } from '../../support/raw-request.ts'
import { TestClient, type Answer, type TestSession } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'

export const sha256 = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest('base64url')

type Session = Pick<TestSession, 'accessJws'>

/** A request. A test can make any part of it wrong. */
export interface SealedRequest {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly session?: Session
  /** Replaces members of the body's header; `undefined` removes one. */
  readonly header?: Record<string, unknown>
  /** Replaces members of the body's `req`. */
  readonly req?: Record<string, unknown>
  /** Replaces members of the token's `req`; `null` leaves the token unbound. */
  readonly binding?: Record<string, unknown> | null
  /** Replaces the sealed body. */
  readonly bytes?: string
  readonly accept?: string
  readonly type?: string
  readonly headers?: readonly (readonly [string, string])[]
}

export interface SealedAnswer extends Answer {
  /** The claims of a sealed answer. */
  readonly claims?: {
    readonly iss: string
    readonly aud: string
    readonly iat: number
    readonly status: number
    readonly req: string
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read what should be there
    readonly body: any
  }
}

export class SealingClient {
  readonly server: TestServer
  readonly client: TestClient
  #keys: JWK[] | undefined

  constructor(server: TestServer, client: TestClient) {
    this.server = server
    this.client = client
  }

  static async registered(server: TestServer, metadata: object = {}): Promise<SealingClient> {
    return new SealingClient(server, await TestClient.registered(server.url, metadata))
  }

  get id(): string {
    return this.client.id
  }

  /** The `req` for a request. */
  reqFor({ method, path }: Pick<SealedRequest, 'method' | 'path'>): Record<string, unknown> {
    const [url] = `${this.server.config.issuer}${path}`.split('?')
    return {
      jti: randomUUID(),
      iat: Math.floor(this.server.clock() / 1000),
      htm: method,
      htu: url,
    }
  }

  /** Seals a JSON body to the server. */
  async sealBody(request: SealedRequest): Promise<string> {
    const { body, session, header = {} } = request
    const req = {
      ...this.reqFor(request),
      ...(session === undefined ? {} : { ath: sha256(session.accessJws) }),
      ...request.req,
    }
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return this.sealText(text, { req, ...header })
  }

  /** Encrypts any text to the server. */
  async sealText(text: string | Uint8Array, header: Record<string, unknown>): Promise<string> {
    this.#keys ??= (await this.client.send('GET', '/.well-known/jwks.json')).body.keys as JWK[]
    const jwk = this.#keys.find(({ use }) => use === 'enc')!
    const { config } = this.server
    const complete = {
      alg: jwk.alg!,
      enc: config.algorithms.encryptionEnc,
      kid: jwk.kid!,
      cty: 'json',
      ...header,
    }
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
    return new CompactEncrypt(bytes).setProtectedHeader(complete).encrypt(await importJWK(jwk))
  }

  /** The access token, bound to a request. */
  async bind(session: Session, request: SealedRequest, bytes: string | undefined) {
    if (request.binding === null) return this.client.seal(session.accessJws)
    const req = {
      ...this.reqFor(request),
      ...(bytes === undefined ? {} : { dig: sha256(bytes) }),
      ...request.binding,
    }
    const bound = JSON.parse(JSON.stringify(req)) as typeof req
    const isKeyBound = JSON.stringify(session.accessJws.split('.').map(decode)).includes('cnf')
    const proved = isKeyBound ? await this.client.prove(session.accessJws, bound) : bound
    return this.client.seal(session.accessJws, { req: proved })
  }

  /** Seals, sends, and opens the answer. */
  async send(request: SealedRequest): Promise<SealedAnswer> {
    const { method, path, session, accept = 'application/jose', headers = [] } = request
    const { type = 'application/jose' } = request
    const bytes =
      request.bytes ?? (request.body === undefined ? undefined : await this.sealBody(request))
    const token = session === undefined ? undefined : await this.bind(session, request, bytes)
    const answer = await rawRequest(this.server.url, path, {
      method,
      headers: [
        ['Accept', accept],
        ...(bytes === undefined ? [] : [['Content-Type', type] as const]),
        ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
        ...headers,
      ],
      ...(bytes === undefined ? {} : { body: bytes }),
    })
    return this.opened(answer)
  }

  async opened(answer: Answer): Promise<SealedAnswer> {
    if (answer.headers.get('content-type') !== 'application/jose') return answer
    const { keystore, clock } = this.server
    const { plaintext, protectedHeader } = await compactDecrypt(answer.text, this.client.privateKey)
    const jws = new TextDecoder().decode(plaintext)
    if (protectedHeader.cty !== 'JWT') throw new Error('not a nested JWT')
    const { payload } = await jwtVerify(jws, createLocalJWKSet(keystore.jwks), {
      typ: 'answer+jwt',
      issuer: this.server.config.issuer,
      audience: this.id,
      currentDate: new Date(clock()),
    })
    if (decodeProtectedHeader(jws).alg !== 'ES256') throw new Error('not signed as configured')
    return { ...answer, claims: payload as unknown as NonNullable<SealedAnswer['claims']> }
  }

  /** A session from a sealed session answer. */
  async sessionOf({ status, claims, text }: SealedAnswer): Promise<TestSession> {
    if (claims === undefined || status >= 300) throw new Error(`${status} ${text}`)
    const { body } = claims
    return {
      accessJws: await this.client.open(body.access_token as string),
      refreshJws: await this.client.open(body.refresh_token as string),
      sessionId: body.session_id,
      databaseKey: body.database_key,
      answer: { ...claims, headers: new Headers(), text },
    }
  }

  async signUp(email: string, password: string): Promise<TestSession> {
    const body = { email, password, client_id: this.id }
    return this.sessionOf(await this.send({ method: 'POST', path: '/account', body }))
  }
}

const decode = (part: string): string => Buffer.from(part, 'base64url').toString()
