import {
  compactDecrypt,
  type CryptoKey,
  CompactEncrypt,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose'
import { macOf } from './request-proof.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read what should be there
  readonly body: any
  readonly text: string
}

/** The result of signing in, with both tokens decrypted to JWSs. */
export interface TestSession {
  readonly accessJws: string
  readonly refreshJws: string
  readonly sessionId: string
  readonly databaseKey: string
  readonly answer: Answer
}

let people = 0
/** An address that no other test uses. */
export const someEmail = () => `person-${process.pid}-${++people}@mail.test`
export const GOOD_PASSWORD = 'a long and winding road'

/** A minimal client for the default algorithms, written on jose alone. */
export class TestClient {
  readonly url: string
  readonly publicJwk: JWK
  readonly privateKey: CryptoKey
  id = ''
  /** The server's encryption key, cached until a 401, after which it may have changed. */
  #serverKey: Promise<{ jwk: JWK; key: CryptoKey | Uint8Array }> | undefined

  private constructor(url: string, publicJwk: JWK, privateKey: CryptoKey) {
    this.url = url
    this.publicJwk = publicJwk
    this.privateKey = privateKey
  }

  /** A client with its own key, not yet registered. */
  static async create(url: string, crv = 'P-256'): Promise<TestClient> {
    const { publicKey, privateKey } = await generateKeyPair('ECDH-ES+A128KW', { crv })
    return new TestClient(url, { ...(await exportJWK(publicKey)), use: 'enc' }, privateKey)
  }

  /** @param metadata Further members of the registration. */
  static async registered(url: string, metadata: object = {}, crv?: string): Promise<TestClient> {
    const client = await TestClient.create(url, crv)
    const keys = [client.publicJwk]
    const answer = await client.send('POST', '/clients', { jwks: { keys }, ...metadata })
    client.id = answer.body.client_id
    return client
  }

  /** Sends JSON, without a token unless `headers` has one. */
  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    })
    if (response.status === 401) this.#serverKey = undefined
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') ?? false
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text !== '' ? JSON.parse(text) : undefined,
      text,
    }
  }

  /** Sends JSON with a session's access token, sealed to the server. */
  async sendAs(
    session: { readonly accessJws: string },
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answer> {
    const token = await this.seal(session.accessJws)
    return this.send(method, path, body, { authorization: `Bearer ${token}` })
  }

  async signUp(email = someEmail(), password = GOOD_PASSWORD): Promise<TestSession> {
    return this.opened(await this.send('POST', '/account', { email, password, client_id: this.id }))
  }

  async login(email: string, password = GOOD_PASSWORD): Promise<TestSession> {
    return this.opened(
      await this.send('POST', '/account/login', { email, password, client_id: this.id }),
    )
  }

  /** JWE → JWS, with the client's own key. */
  async open(jwe: string): Promise<string> {
    const { plaintext } = await compactDecrypt(jwe, this.privateKey)
    return new TextDecoder().decode(plaintext)
  }

  /** JWS → JWE, with the server's published key. */
  async seal(jws: string, header: Record<string, unknown> = {}): Promise<string> {
    const { jwk, key } = await (this.#serverKey ??= this.#fetchServerKey())
    return new CompactEncrypt(new TextEncoder().encode(jws))
      .setProtectedHeader({
        alg: 'ECDH-ES+A128KW',
        enc: 'A128GCM',
        kid: jwk.kid!,
        cty: 'JWT',
        ...header,
      })
      .encrypt(key)
  }

  /** A `req` with the proof of a key-bound token. */
  async prove<Req extends Readonly<Record<string, unknown>>>(jws: string, req: Req) {
    const { jwk: recipient } = await (this.#serverKey ??= this.#fetchServerKey())
    const { privateKey, id: clientId } = this
    return { ...req, mac: await macOf({ privateKey, clientId, recipient, jws, req }) }
  }

  async #fetchServerKey() {
    const { body } = await this.send('GET', '/.well-known/jwks.json')
    const isUsable = ({ use, crv }: JWK) => use === 'enc' && crv === this.publicJwk.crv
    const jwk = (body.keys as JWK[]).find(isUsable)!
    return { jwk, key: await importJWK(jwk, 'ECDH-ES+A128KW') }
  }

  private async opened(answer: Answer): Promise<TestSession> {
    if (answer.status >= 300) throw new Error(`${answer.status} ${answer.text}`)
    return {
      accessJws: await this.open(answer.body.access_token),
      refreshJws: await this.open(answer.body.refresh_token),
      sessionId: answer.body.session_id,
      databaseKey: answer.body.database_key,
      answer,
    }
  }
}
