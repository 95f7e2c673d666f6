import { createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Answer } from '../support/client.ts'
import { decryptJwe, encryptJwe, verifyEs256 } from '../support/foreign-jose.ts'
import { rawRequest } from '../support/raw-request.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

const send = (method: string, path: string, body?: unknown, token?: string): Promise<Answer> =>
  rawRequest(server.url, path, {
    method,
    headers: [
      ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
      ...(body === undefined ? [] : [['Content-Type', 'application/json'] as const]),
    ],
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })

test('a client without jose follows the contract and the RFCs only, and every request works', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), use: 'enc' }

  const registered = await send('POST', '/clients', { jwks: { keys: [jwk] } })
  expect(registered.status).toBe(201)
  const client_id = registered.body.client_id as string

  const configuration = decryptJwe(
    (await send('GET', `/clients/${client_id}/configuration`)).text,
    privateKey,
  )
  expect(configuration.header).toMatchObject({ kid: client_id, cty: 'json' })
  expect(JSON.parse(configuration.plaintext)).toMatchObject({
    iss: server.config.issuer,
    aud: client_id,
    access_token_encryption_alg: 'ECDH-ES+A128KW',
  })

  const jwks = (await send('GET', '/.well-known/jwks.json')).body.keys as (JsonWebKey & {
    kid: string
  })[]
  const published = (use: string) => {
    const key = jwks.find((candidate) => candidate['use'] === use)!
    return { kid: key.kid, key: createPublicKey({ key, format: 'jwk' }) }
  }
  const [sig, enc] = [published('sig'), published('enc')]

  const email = 'foreigner@mail.test'
  const password = 'jede Menge Kleinholz'
  const signedUp = await send('POST', '/account', { email, password, client_id })
  expect(signedUp.status).toBe(201)
  const { header, plaintext: jws } = decryptJwe(signedUp.body.access_token, privateKey)
  expect(header).toMatchObject({
    alg: 'ECDH-ES+A128KW',
    enc: 'A128GCM',
    kid: client_id,
    cty: 'JWT',
  })
  const verified = verifyEs256(jws, sig.key)
  expect(verified?.header).toEqual({ alg: 'ES256', kid: sig.kid, typ: 'at+jwt' })
  expect(verified?.payload).toMatchObject({
    iss: server.config.issuer,
    sub: signedUp.body.account.id,
    aud: client_id,
    sid: signedUp.body.session_id,
  })

  const seal = (kid?: string) => encryptJwe(jws, enc.key, { cty: 'JWT', kid })
  for (const token of [seal(enc.kid), seal()]) {
    const read = await send('GET', '/account', undefined, token)
    expect([read.status, read.body.database_key]).toEqual([200, signedUp.body.database_key])
  }
  const renamed = await send('PATCH', '/account', { name: 'Fremde' }, seal(enc.kid))
  expect([renamed.status, renamed.body.account.name]).toEqual([200, 'Fremde'])
  expect((await send('GET', '/account', undefined, jws)).status).toBe(401)
  expect((await send('POST', '/account/logout', undefined, seal(enc.kid))).status).toBe(204)
  expect((await send('GET', '/account', undefined, seal(enc.kid))).status).toBe(401)
})
