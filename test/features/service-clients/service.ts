/** A registered service client and its requests, written with jose only. */
import { randomUUID } from 'node:crypto'
import {
  calculateJwkThumbprint,
  compactDecrypt,
  CompactEncrypt,
  exportJWK,
  generateKeyPair,
  importJWK,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTPayload,
} from 'jose'
import { serviceClients } from '../../../server/features/service-clients/index.ts'
import { createServiceClients } from '../../../server/features/service-clients/service-clients.ts'
import { checkServiceKeys } from '../../../server/features/service-clients/service-keys.ts'
import { serviceDatabase } from '../../../server/features/service-clients/service-tables.ts'
import type { Answer } from '../../support/client.ts'
import { macOf } from '../../support/request-proof.ts'
import { startTestServer, type TestServer, type TestServerOptions } from '../../support/server.ts'

export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export const startServiceServer = (options: TestServerOptions = {}): Promise<TestServer> =>
  startTestServer({ features: [serviceClients], ...options })

interface Options {
  readonly scope?: string
  readonly signingAlg?: string
  readonly crv?: string
  /** Existing keys to use. */
  readonly keys?: Awaited<ReturnType<typeof makeKeys>>
}

export async function makeKeys(signingAlg = 'ES256', crv = 'P-256') {
  const sig = await generateKeyPair(signingAlg, { extractable: true })
  const enc = await generateKeyPair('ECDH-ES+A128KW', { crv, extractable: true })
  const [sigJwk, encJwk] = [await exportJWK(sig.publicKey), await exportJWK(enc.publicKey)]
  const jwks: { keys: JWK[] } = {
    keys: [
      { ...sigJwk, use: 'sig', alg: signingAlg },
      { ...encJwk, use: 'enc' },
    ],
  }
  return { sig, enc, jwks, id: await calculateJwkThumbprint(encJwk) }
}

export class Service {
  readonly server: TestServer
  readonly id: string
  readonly signingKey: CryptoKey
  readonly signingAlg: string
  readonly encryptionKey: CryptoKey

  private constructor(
    server: TestServer,
    { id, sig, enc }: Awaited<ReturnType<typeof makeKeys>>,
    signingAlg: string,
  ) {
    this.server = server
    this.id = id
    this.signingKey = sig.privateKey
    this.signingAlg = signingAlg
    this.encryptionKey = enc.privateKey
  }

  /** A registered service client, with its own keys by default. */
  static async create(server: TestServer, options: Options = {}): Promise<Service> {
    const { scope = 'notes introspect', signingAlg = 'ES256', crv } = options
    const keys = options.keys ?? (await makeKeys(signingAlg, crv))
    const checked = await checkServiceKeys(keys.jwks, server.config.algorithms)
    const clients = createServiceClients(serviceDatabase(server.database))
    await clients.add({ ...checked, name: 'Notes', scope, createdAt: server.clock() })
    return new Service(server, keys, signingAlg)
  }

  now = (): number => Math.floor(this.server.clock() / 1000)

  /** A valid assertion with `changes`; `undefined` removes a claim. */
  async assertion(
    changes: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
    key: CryptoKey | Uint8Array = this.signingKey,
  ): Promise<string> {
    const claims = {
      iss: this.id,
      sub: this.id,
      aud: this.server.config.issuer,
      jti: randomUUID(),
      exp: this.now() + 60,
      ...changes,
    } as JWTPayload
    return new SignJWT(claims).setProtectedHeader({ alg: this.signingAlg, ...header }).sign(key)
  }

  /** Sends a form, with a fresh assertion unless `parameters` has one. */
  async send(
    path: string,
    parameters: Record<string, string> = {},
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const form = new URLSearchParams({
      client_assertion_type: JWT_BEARER,
      client_assertion: parameters['client_assertion'] ?? (await this.assertion()),
      ...parameters,
    })
    const response = await fetch(this.server.url + path, { method: 'POST', body: form, headers })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
    const body = isJson ? (JSON.parse(text) as unknown) : undefined
    return { status: response.status, headers: response.headers, body, text }
  }

  token = (parameters: Record<string, string> = {}): Promise<Answer> =>
    this.send('/token', { grant_type: 'client_credentials', ...parameters })

  /** Seals a JWS to the server, by default for `POST /introspect`. */
  async seal(jws: string, req: object = this.bound()): Promise<string> {
    const { kid, alg, publicKey } = this.server.keystore.encryptionKey
    return new CompactEncrypt(new TextEncoder().encode(jws))
      .setProtectedHeader({ alg, enc: 'A128GCM', kid, cty: 'JWT', req })
      .encrypt(publicKey)
  }

  /** Seals a JWS to a recipient, with the proof of a key-bound token. */
  async sealTo(recipient: JWK, jws: string, req: object): Promise<string> {
    const { id: clientId, encryptionKey: privateKey } = this
    const { kid = '', alg = '' } = recipient
    const proof = { privateKey, clientId, recipient: { ...recipient, kid }, jws, req: { ...req } }
    const mac = await macOf(proof)
    return new CompactEncrypt(new TextEncoder().encode(jws))
      .setProtectedHeader({ alg, enc: 'A128GCM', kid, cty: 'JWT', req: { ...req, mac } })
      .encrypt(await importJWK(recipient, alg))
  }

  bound = (changes: object = {}) => ({
    jti: randomUUID(),
    iat: this.now(),
    htm: 'POST',
    htu: `${this.server.config.issuer}/introspect`,
    ...changes,
  })

  introspect = async (jws: string, headers?: Record<string, string>): Promise<Answer> =>
    this.send('/introspect', { token: await this.seal(jws) }, headers)

  /** Decrypts a JWE with its own key. */
  async open(jwe: string): Promise<string> {
    const { plaintext } = await compactDecrypt(jwe, this.encryptionKey)
    return new TextDecoder().decode(plaintext)
  }
}
