import { createHash, randomUUID } from 'node:crypto'
import { decodeProtectedHeader, type JWK } from 'jose'
import { requiredKeyType } from '../../../protocol/algorithms.ts'
import { GOOD_PASSWORD, someEmail, type Answer } from '../client.ts'
import { rawRequest } from '../raw-request.ts'
import type { TestServer } from '../server.ts'
import type { ForeignJose } from './foreign-jose.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** A client of the server whose key and cryptography are those of a foreign implementation. */
export class ForeignClient {
  readonly id: string
  readonly #server: TestServer
  readonly #jose: ForeignJose
  readonly #key: JWK
  readonly #published: readonly JWK[]

  private constructor(
    server: TestServer,
    jose: ForeignJose,
    ids: { id: string; key: JWK; published: readonly JWK[] },
  ) {
    this.#server = server
    this.#jose = jose
    this.id = ids.id
    this.#key = ids.key
    this.#published = ids.published
  }

  /** @param metadata More members of the registration. */
  static async registered(
    server: TestServer,
    jose: ForeignJose,
    metadata: object = {},
  ): Promise<ForeignClient> {
    const key = await jose.generate(requiredKeyType('enc', server.config.algorithms))
    const { kty, crv, x, y, n, e } = key
    const jwks = { keys: [{ kty, crv, x, y, n, e, use: 'enc' }] }
    const registered = await post(server, '/clients', JSON.stringify({ jwks, ...metadata }))
    const { body } = await rawRequest(server.url, '/.well-known/jwks.json')
    const published = body.keys as JWK[]
    return new ForeignClient(server, jose, { id: registered.body.client_id, key, published })
  }

  /** Sends a request, by default with a JSON body. */
  send(
    method: string,
    path: string,
    { token, body, headers = {} }: { token?: string; body?: string; headers?: object } = {},
  ): Promise<Answer> {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const all = Object.entries<string>({ ...type, ...authorization, ...headers })
    return rawRequest(this.#server.url, path, {
      method,
      headers: all,
      ...(body === undefined ? {} : { body }),
    })
  }

  async signUp() {
    const email = someEmail()
    const fields = { email, password: GOOD_PASSWORD, client_id: this.id }
    const { body } = await this.send('POST', '/account', { body: JSON.stringify(fields) })
    return { email, answer: body }
  }

  /** Decrypts a JWE to this client, and returns its plaintext and header. */
  async open(jwe: string) {
    const text = await this.#jose.open(jwe, this.#key)
    return { header: decodeProtectedHeader(jwe), text }
  }

  /** Opens a nested JWT and verifies its signature with the server's published key. */
  async openNested(jwe: string) {
    const { header: outer, text: jws } = await this.open(jwe)
    const inner = decodeProtectedHeader(jws)
    const key = this.#published.find(({ kid }) => kid === inner.kid)
    const payload = await this.#jose.verify(jws, key ?? {})
    return { outer, inner, jws, claims: JSON.parse(payload) as Record<string, unknown> }
  }

  get #recipient(): JWK {
    return this.#published.find(({ use }) => use === 'enc') ?? {}
  }

  /** Encrypts to the server. */
  seal(plaintext: string, header: object = {}): Promise<string> {
    const key = this.#recipient
    const { encryptionAlg: alg, encryptionEnc: enc } = this.#server.config.algorithms
    const whole = { alg, enc, kid: key.kid, cty: 'JWT', ...header }
    return this.#jose.seal(whole, plaintext, key)
  }

  /** Encrypts a key-bound token to the server, with a proof for one request. */
  async sealWithProof(jws: string, req: object): Promise<string> {
    const key = this.#key
    const proof = { key, recipient: this.#recipient, client: this.id, token: jws, req }
    return this.seal(jws, { req: { ...req, mac: await this.#jose.prove?.(proof) } })
  }

  /** A `req` for one request: of a token if it has a body, else of a sealed body. */
  binding(htm: string, path: string, { body, jws }: { body?: string; jws?: string } = {}) {
    const iat = Math.floor(this.#server.clock() / 1000)
    const htu = this.#server.config.publicUrl + path
    return {
      jti: randomUUID(),
      iat,
      htm,
      htu,
      ...(body === undefined ? {} : { dig: sha256(body) }),
      ...(jws === undefined ? {} : { ath: sha256(jws) }),
    }
  }
}

const post = (server: TestServer, path: string, body: string): Promise<Answer> =>
  rawRequest(server.url, path, {
    method: 'POST',
    body,
    headers: [['content-type', 'application/json']],
  })
