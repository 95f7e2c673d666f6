/**
 * Two OAuth clients that know nothing of this server, against the programs as an operator runs them:
 * one is registered by `npm run clients`, while the server runs.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { compactDecrypt, CompactEncrypt, decodeJwt, decodeProtectedHeader, importJWK } from 'jose'
import type { JWK } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { TestClient, type TestSession } from '../../support/client.ts'
import { databaseUrlAt } from '../../support/database.ts'
import { freePort, killAll, run } from '../../support/process.ts'
import { makeKeys } from './service.ts'

const JWT = 'ES256'

let folder: string
let issuer: string
let keys: Awaited<ReturnType<typeof makeKeys>>
let person: TestClient
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foreign-'))
  const port = await freePort()
  issuer = `http://127.0.0.1:${port}`
  const DATABASE_URL = await databaseUrlAt(join(folder, 'auth.db'))
  const server = run('server/index.ts', { PORT: String(port), ISSUER: issuer, DATABASE_URL })
  await server.ready()

  keys = await makeKeys()
  const jwks = join(folder, 'notes.jwks.json')
  await writeFile(jwks, JSON.stringify(keys.jwks))
  const command = run('server/features/service-clients/command/index.ts', { DATABASE_URL }, [
    'add',
    '--name',
    'Notes',
    '--jwks',
    jwks,
    '--scope',
    'notes introspect',
  ])
  expect(await command.exit).toBe(0)
  expect(command.stdout.text.trim()).toBe(keys.id)
  person = await TestClient.registered(issuer)
})
afterAll(async () => {
  await killAll()
  await rm(folder, { recursive: true, force: true })
})

const decrypt = async (jwe: string): Promise<string> => {
  const { plaintext } = await compactDecrypt(jwe, keys.enc.privateKey)
  return new TextDecoder().decode(plaintext)
}

/** Seals a JWS for one request, which this server requires and no OAuth client does by itself. */
async function seal(jws: string, path: string): Promise<string> {
  const set = (await (await fetch(`${issuer}/.well-known/jwks.json`)).json()) as { keys: JWK[] }
  const key = set.keys.find(({ use }) => use === 'enc')!
  const iat = Math.floor(Date.now() / 1000)
  const req = { jti: crypto.randomUUID(), iat, htm: 'POST', htu: issuer + path }
  return new CompactEncrypt(new TextEncoder().encode(jws))
    .setProtectedHeader({ alg: key.alg!, enc: 'A128GCM', kid: key.kid!, cty: 'JWT', req })
    .encrypt(await importJWK(key))
}

interface Introspected {
  readonly active: boolean
  readonly sid?: unknown
}

/** The requests that both libraries make. */
interface Foreign {
  serviceToken: (scope?: string) => Promise<{ access_token: string; scope?: string | undefined }>
  introspect: (token: string) => Promise<Introspected>
  introspectJwt: (token: string) => Promise<Introspected>
  refresh: (token: string) => Promise<{ access_token: string; refresh_token?: string | undefined }>
  revoke: (token: string) => Promise<void>
}

async function withOauth4webapi(): Promise<Foreign> {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- this server is on this machine
  const insecure = { [oauth.allowInsecureRequests]: true }
  const url = new URL(issuer)
  const response = await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure })
  const server = await oauth.processDiscoveryResponse(url, response)
  const service = { client_id: keys.id, introspection_signed_response_alg: JWT }
  const own = { client_id: person.id }
  const proven = oauth.PrivateKeyJwt(keys.sig.privateKey)
  const ask = async (token: string, requestJwtResponse: boolean): Promise<Introspected> => {
    const options = { requestJwtResponse, ...insecure }
    const answer = await oauth.introspectionRequest(server, service, proven, token, options)
    const validated = answer.clone()
    const result = await oauth.processIntrospectionResponse(server, service, answer, {
      [oauth.jweDecrypt]: decrypt,
    })
    expect(validated.headers.get('content-type')).toMatch(requestJwtResponse ? '+jwt' : 'json')
    if (requestJwtResponse) {
      await oauth.validateApplicationLevelSignature(server, answer, insecure)
    }
    return result
  }
  return {
    async serviceToken(scope) {
      const parameters = new URLSearchParams(scope === undefined ? {} : { scope })
      const answer = await oauth.clientCredentialsGrantRequest(
        ...([server, service, proven, parameters, insecure] as const),
      )
      return oauth.processClientCredentialsResponse(server, service, answer)
    },
    introspect: (token) => ask(token, false),
    introspectJwt: (token) => ask(token, true),
    async refresh(token) {
      const answer = await oauth.refreshTokenGrantRequest(
        ...([server, own, oauth.None(), token, insecure] as const),
      )
      return oauth.processRefreshTokenResponse(server, own, answer)
    },
    async revoke(token) {
      const answer = await oauth.revocationRequest(server, own, oauth.None(), token, insecure)
      await oauth.processRevocationResponse(answer)
    },
  }
}

async function withOpenidClient(): Promise<Foreign> {
  const proven = openid.PrivateKeyJwt(keys.sig.privateKey)
  const options: openid.DiscoveryRequestOptions = {
    algorithm: 'oauth2',
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- this server is on this machine
    execute: [openid.allowInsecureRequests],
  }
  const discover = (id: string, auth: openid.ClientAuth, metadata = {}) =>
    openid.discovery(new URL(issuer), id, metadata, auth, options)
  const service = await discover(keys.id, proven)
  const signed = { introspection_signed_response_alg: JWT }
  const encrypted = await discover(keys.id, proven, signed)
  const key = { key: keys.enc.privateKey, kid: keys.id, alg: 'ECDH-ES+A128KW' }
  openid.enableDecryptingResponses(encrypted, ['A128GCM'], key)
  openid.enableNonRepudiationChecks(encrypted)
  const own = await discover(person.id, openid.None())
  return {
    serviceToken: (scope) =>
      openid.clientCredentialsGrant(service, scope === undefined ? {} : { scope }),
    introspect: (token) => openid.tokenIntrospection(service, token),
    introspectJwt: (token) => openid.tokenIntrospection(encrypted, token),
    refresh: (token) => openid.refreshTokenGrant(own, token),
    revoke: (token) => openid.tokenRevocation(own, token),
  }
}

describe.each([
  ['oauth4webapi', withOauth4webapi],
  ['openid-client', withOpenidClient],
])('%s', (_, create) => {
  let foreign: Foreign
  let session: TestSession
  beforeAll(async () => {
    foreign = await create()
    session = await person.signUp()
  })

  test('gets a service token with private_key_jwt', async () => {
    const { access_token, scope } = await foreign.serviceToken('notes')
    expect(scope).toBe('notes')
    const jws = await decrypt(access_token)
    expect(decodeProtectedHeader(jws)).toMatchObject({ typ: 'at+jwt' })
    expect(decodeJwt(jws)).toMatchObject({ sub: keys.id, client_id: keys.id, scope: 'notes' })
    expect(await foreign.introspect(await seal(jws, '/introspect'))).toMatchObject({
      active: true,
      sub: keys.id,
    })
    await expect(foreign.serviceToken('admin')).rejects.toMatchObject({ error: 'invalid_scope' })
  })

  test('introspects, with a plain answer and with an encrypted JWT', async () => {
    const { sid } = decodeJwt(session.accessJws)
    for (const introspect of [foreign.introspect, foreign.introspectJwt]) {
      expect(await introspect(await seal(session.accessJws, '/introspect'))).toMatchObject({
        active: true,
        sid,
        token_type: 'Bearer',
        client_id: person.id,
      })
      expect(await introspect(session.accessJws)).toEqual({ active: false })
    }
  })

  test('refreshes and revokes, and the token is inactive afterwards', async () => {
    const pair = await foreign.refresh(await person.seal(session.refreshJws))
    const access = await person.open(pair.access_token)
    const active = async () =>
      (await foreign.introspectJwt(await seal(access, '/introspect'))).active
    expect(await active()).toBe(true)
    await foreign.revoke(await person.seal(await person.open(pair.refresh_token!)))
    expect(await active()).toBe(false)
  })
})
