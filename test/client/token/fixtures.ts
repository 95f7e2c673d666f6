/** A server's keys, a client with its own key, and functions that make tokens the server never would. */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import type { ServerKey } from '../../../client/keys/server-keys.ts'
import { generateClientKey, type ClientKey } from '../../../client/keys/client-key.ts'
import { openAccessToken, openRefreshToken, type Opener } from '../../../client/session/tokens.ts'
import { issue } from '../../../server/token/issue.ts'
import { accessToken, refreshToken } from '../../../server/token/claims.ts'
import { encryptJwe } from '../../support/foreign-jose.ts'
import { DEFAULTS, forge, OWN_CLAIMS, setUp } from '../../token/fixtures.ts'

/** The public half as a key of node:crypto. */
export const publicKeyOf = ({ publicJwk }: Pick<ClientKey, 'publicJwk'>) =>
  createPublicKey({ key: publicJwk as JsonWebKey, format: 'jwk' })

export async function setUpClient(algorithms = DEFAULTS) {
  const server = await setUp(algorithms)
  const crv = algorithms.encryptionCrv
  const key = await generateClientKey(
    crv === 'X25519' ? { kty: 'OKP', crv } : { kty: 'EC', crv: crv! },
  )
  const publicKey = publicKeyOf(key)
  const registered = { sub: OWN_CLAIMS.sub, sid: OWN_CLAIMS.sid, aud: key.id, client_id: key.id }
  const own = { ...registered, scope: OWN_CLAIMS.scope }
  const published = server.keystore.jwks.keys as ServerKey[]
  const keys = (kid: string) => Promise.resolve(published.find((one) => one.kid === kid))
  const opener: Opener = { key, keys, issuer: server.context.issuer, clientId: key.id }
  const recipient = { kid: key.id, publicKey, alg: server.context.algorithms.encryptionAlg }
  const claims: Record<string, unknown> = { ...server.claims, ...own }
  const header: Record<string, unknown> = server.header
  const { privateKey } = server.keystore.signingKey
  /** Encrypts a JWS to the client, with any header changes, using the default algorithms. */
  const sealFor = (plaintext: string | Buffer, changes: Record<string, unknown> = {}) =>
    encryptJwe(plaintext, publicKey, { kid: key.id, cty: 'JWT', ...changes })
  return {
    server,
    key,
    publicKey,
    opener,
    published,
    keys,
    claims,
    header,
    sealFor,
    /** An access token and a refresh token, as the server sends them. */
    access: () => issue(server.context, accessToken, own, recipient, 900),
    refresh: () => issue(server.context, refreshToken, registered, recipient, 900),
    /** Signs any claims with the server's own key. */
    signed: (headerChanges: object, claimChanges: object = {}) =>
      forge({ ...header, ...headerChanges }, { ...claims, ...claimChanges }, privateKey),
    open: (jwe: string) => openAccessToken(jwe, opener),
    openRefresh: (jwe: string) => openRefreshToken(jwe, opener),
  }
}

export type ClientFixture = Awaited<ReturnType<typeof setUpClient>>
