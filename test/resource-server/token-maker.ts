/** Makes the tokens that a client would send to a service, with any claims and any binding. */
import { createHash } from 'node:crypto'
import { CompactEncrypt, CompactSign, importJWK, type JSONWebKeySet } from 'jose'
import type { Scene } from './fixtures.ts'

interface Bound {
  readonly method?: string
  readonly path?: string
  readonly body?: string
  /** Claims that differ. */
  readonly claims?: Record<string, unknown>
}

let made = 0

/**
 * @param url The service's URL.
 * @param jwks The service's published key.
 */
export function createTokenMaker(
  { clock, server }: Pick<Scene, 'clock' | 'server'>,
  url: string,
  { keys: [key] }: JSONWebKeySet,
) {
  const encode = (text: string) => new TextEncoder().encode(text)

  function sign(claims: Record<string, unknown> = {}): Promise<string> {
    const { alg, kid, privateKey } = server.keystore.signingKey
    const iat = Math.floor(clock() / 1000)
    const all = {
      iss: server.config.issuer,
      sub: 'account-1',
      aud: 'client-1',
      client_id: 'client-1',
      iat,
      exp: iat + 900,
      jti: `token-${++made}`,
      sid: 'session-1',
      scope: 'user',
      ...claims,
    }
    return new CompactSign(encode(JSON.stringify(all)))
      .setProtectedHeader({ alg, kid, typ: 'at+jwt' })
      .sign(privateKey)
  }

  /** Encrypts any JWS to the service, for one request. */
  async function seal(jws: string, { method = 'GET', path = '/notes', body = '' }: Bound = {}) {
    const req = {
      jti: `request-${++made}`,
      iat: Math.floor(clock() / 1000),
      htm: method,
      htu: url + path,
      ...(body === '' ? {} : { dig: createHash('sha256').update(body).digest('base64url') }),
    }
    return new CompactEncrypt(encode(jws))
      .setProtectedHeader({ alg: key!.alg!, enc: 'A128GCM', kid: key!.kid!, cty: 'JWT', req })
      .encrypt(await importJWK(key!))
  }

  return { seal, make: async (bound: Bound = {}) => seal(await sign(bound.claims), bound) }
}
