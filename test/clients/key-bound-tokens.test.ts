/** Who asks for key-bound tokens, and who gets them. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { decodeJwt, type JWK } from 'jose'
import { createKeystore } from '../../server/keystore/keystore.ts'
import { generateKeyPair } from '../../server/keystore/key-pair.ts'
import { DEFAULTS, keySet, RSA_ENCRYPTION } from '../keystore/fixtures.ts'
import { TestClient } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const jwkOf = (key: KeyObject): JWK => ({ ...(key.export({ format: 'jwk' }) as JWK), use: 'enc' })
const somebody = () => jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
const rsa = jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)

/** Status and body of a registration. */
async function register({ url }: TestServer, jwk: JWK, key_bound_tokens?: unknown) {
  const response = await fetch(`${url}/clients`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jwks: { keys: [jwk] }, key_bound_tokens }),
  })
  return [response.status, (await response.json()) as Record<string, unknown>] as const
}
/** Status and `key_bound_tokens` of a registration. */
const echo = async (...parameters: Parameters<typeof register>) => {
  const [status, body] = await register(...parameters)
  return [status, body['key_bound_tokens']]
}
const supported = async ({ url }: TestServer) => {
  const response = await fetch(`${url}/.well-known/oauth-authorization-server`)
  const metadata = (await response.json()) as Record<string, unknown>
  return metadata['key_bound_tokens_supported']
}
const countClients = async ({ database }: TestServer) =>
  (await database.selectFrom('clients').select('client_id').execute()).length

describe('by default', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startTestServer()
  })
  afterAll(() => server.stop())

  test('a client that asks gets key-bound tokens, and the metadata offers them', async () => {
    expect(await supported(server)).toBe(true)
    expect(await echo(server, somebody(), true)).toEqual([201, true])
    expect(await echo(server, somebody(), false)).toEqual([201, false])
    expect(await echo(server, somebody())).toEqual([201, false])
  })

  test.each([
    [true, [false, undefined, true]],
    [false, [true, undefined, false]],
  ])('the first registration with %s decides for all later ones', async (first, later) => {
    const jwk = somebody()
    expect(await echo(server, jwk, first)).toEqual([201, first])
    for (const again of later) expect(await echo(server, jwk, again)).toEqual([200, first])
    const { key_bound_tokens } = await server.database
      .selectFrom('clients')
      .select('key_bound_tokens')
      .where('client_id', '=', String((await register(server, jwk))[1]['client_id']))
      .executeTakeFirstOrThrow()
    expect(key_bound_tokens).toBe(Number(first))
  })

  test('simultaneous registrations that differ all get the same answer', async () => {
    const jwk = somebody()
    const answers = await Promise.all(
      [true, false, true, false].map((wanted) => register(server, jwk, wanted)),
    )
    expect(answers.map(([status]) => status).sort()).toEqual([200, 200, 200, 201])
    expect(new Set(answers.map(([, body]) => body['key_bound_tokens'])).size).toBe(1)
  })

  test.each([null, 0, 1, '', 'true', [], {}])('key_bound_tokens: %j is refused', async (value) => {
    const before = await countClients(server)
    const [status, { error, error_description }] = await register(server, somebody(), value)
    expect([status, error]).toEqual([400, 'invalid_client_metadata'])
    expect(error_description).toMatch(/key_bound_tokens/)
    expect(await countClients(server)).toBe(before)
  })

  test('key-bound tokens carry only the public members of the client’s key', async () => {
    const client = await TestClient.registered(server.url, { key_bound_tokens: true })
    const { accessJws, refreshJws } = await client.signUp()
    const { kty, crv, x, y } = client.publicJwk
    for (const jws of [accessJws, refreshJws]) {
      expect(decodeJwt(jws)['cnf']).toStrictEqual({ jwk: { kty, crv, x, y } })
    }
    const other = await TestClient.registered(server.url)
    expect(decodeJwt((await other.signUp()).accessJws)).not.toHaveProperty('cnf')
  })
})

test('with KEY_BOUND_TOKENS=off, new clients do not get key-bound tokens, and existing ones keep them', async () => {
  const on = await startTestServer()
  const off = await startTestServer({
    variables: { KEY_BOUND_TOKENS: 'off' },
    database: on.database,
    keystore: on.keystore,
  })
  try {
    expect([await supported(on), await supported(off)]).toEqual([true, false])
    const before = somebody()
    expect(await echo(on, before, true)).toEqual([201, true])
    expect(await echo(off, before, false)).toEqual([200, true])
    const meanwhile = somebody()
    expect(await echo(off, meanwhile, true)).toEqual([201, false])
    expect(await echo(on, meanwhile, true)).toEqual([200, false])
  } finally {
    await off.stop()
    await on.stop()
  }
})

test('with RSA keys no client gets key-bound tokens, since RSA has no key agreement', async () => {
  const [sig, enc] = [
    await generateKeyPair('sig', DEFAULTS),
    await generateKeyPair('enc', RSA_ENCRYPTION),
  ]
  const server = await startTestServer({
    variables: { TOKEN_ENCRYPTION_ALG: 'RSA-OAEP-256' },
    keystore: createKeystore(keySet(sig, enc)),
  })
  try {
    expect(await supported(server)).toBe(false)
    const [status, { error }] = await register(server, rsa, true)
    expect([status, error, await countClients(server)]).toEqual([400, 'invalid_client_metadata', 0])
    expect(await echo(server, rsa)).toEqual([201, false])
  } finally {
    await server.stop()
  }
})
