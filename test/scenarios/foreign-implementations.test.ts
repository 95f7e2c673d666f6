/** Implementations in other languages open what the server sends, and make what it accepts. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { ENCRYPTION_CRVS, type Algorithms } from '../../protocol/algorithms.ts'
import { DEFAULTS } from '../keystore/fixtures.ts'
import { describeInstalled } from '../support/describe-installed.ts'
import { ForeignClient } from '../support/foreign/foreign-client.ts'
import { FOREIGN, type ForeignJose } from '../support/foreign/foreign-jose.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** Every algorithm and curve occurs at least once. The first combination is the default. */
const COMBINATIONS = [
  ['ES256', 'ECDH-ES+A128KW', 'A128GCM', 'P-256'],
  ['ES384', 'ECDH-ES+A256KW', 'A256GCM', 'P-384'],
  ['ES512', 'ECDH-ES', 'A128CBC-HS256', 'P-521'],
  ['RS256', 'ECDH-ES+A256KW', 'A256CBC-HS512', 'P-256'],
  ['PS256', 'ECDH-ES', 'A256GCM', 'P-256'],
  ['EdDSA', 'ECDH-ES+A128KW', 'A128CBC-HS256', 'X25519'],
  ['ES256', 'RSA-OAEP-256', 'A256CBC-HS512', undefined],
] as const

let server: TestServer
afterEach(() => server.stop())

for (const [name, { lacks, proves, start, ...requirement }] of Object.entries(FOREIGN)) {
  describeInstalled({ ...requirement, variable: 'REQUIRE_FOREIGN' }, name, () => {
    let jose: ForeignJose
    beforeAll(async () => {
      jose = await start()
    })
    afterAll(() => jose.close())

    const known = COMBINATIONS.filter((names) => !names.some((one) => lacks.test(one ?? '')))
    test.each(known)(
      'exchanges tokens with the server: %s, %s, %s, %s',
      async (signingAlg, alg, enc, crv) => {
        const algorithms: Algorithms = {
          signingAlg,
          encryptionAlg: alg,
          encryptionEnc: enc,
          ...(crv === undefined ? {} : { encryptionCrv: crv }),
        }
        server = await startTestServer({ config: { algorithms } })
        const client = await ForeignClient.registered(server, jose)
        const { answer } = await client.signUp()
        const { issuer } = server.config

        const access = await client.openNested(answer.access_token)
        expect(access.outer).toMatchObject({ alg, enc, kid: client.id, cty: 'JWT' })
        expect(access.inner).toMatchObject({ alg: signingAlg, typ: 'at+jwt' })
        expect(access.claims).toMatchObject({ iss: issuer, aud: client.id, sub: answer.account.id })
        const refresh = await client.openNested(answer.refresh_token)
        expect(refresh.claims).toMatchObject({ iss: issuer, sid: answer.session_id })
        const configuration = await client.send('GET', `/clients/${client.id}/configuration`)
        const { header, text } = await client.open(configuration.text)
        expect(header).toMatchObject({ kid: client.id, cty: 'json' })
        expect(JSON.parse(text)).toMatchObject({ iss: issuer, aud: client.id })

        const plain = await client.send('GET', '/account', { token: await client.seal(access.jws) })
        expect([plain.status, plain.body.database_key]).toEqual([200, answer.database_key])

        const body = JSON.stringify({ name: 'Zoë' })
        const req = client.binding('PATCH', '/account', { body })
        const token = await client.seal(access.jws, { req })
        const altered = await client.send('PATCH', '/account', {
          token,
          body: body.replace('Z', 'C'),
        })
        expect(altered.status).toBe(401)
        const renamed = await client.send('PATCH', '/account', { token, body })
        expect([renamed.status, renamed.body.account.name]).toEqual([200, 'Zoë'])
        expect((await client.send('PATCH', '/account', { token, body })).status).toBe(401)

        const form = { grant_type: 'refresh_token', refresh_token: await client.seal(refresh.jws) }
        const pair = await client.send('POST', '/token', { body: JSON.stringify(form) })
        const next = await client.openNested(pair.body.access_token)
        expect(next.claims).toMatchObject({ sid: answer.session_id })
      },
    )

    if (!proves) return
    test.each(ENCRYPTION_CRVS)('proves key-bound tokens on %s', async (encryptionCrv) => {
      const algorithms: Algorithms = { ...DEFAULTS, encryptionCrv }
      server = await startTestServer({ config: { algorithms } })
      const client = await ForeignClient.registered(server, jose, { key_bound_tokens: true })
      const { answer } = await client.signUp()
      const { jws, claims } = await client.openNested(answer.access_token)
      expect(claims).toMatchObject({ cnf: { jwk: { crv: encryptionCrv } } })

      const read = client.binding('GET', '/account')
      const unproved = await client.seal(jws, { req: read })
      expect((await client.send('GET', '/account', { token: unproved })).status).toBe(401)
      const proved = await client.sealWithProof(jws, read)
      expect((await client.send('GET', '/account', { token: proved })).status).toBe(200)

      const body = JSON.stringify({ name: 'Zoë' })
      const token = await client.sealWithProof(jws, client.binding('PATCH', '/account', { body }))
      const renamed = await client.send('PATCH', '/account', { token, body })
      expect([renamed.status, renamed.body.account.name]).toEqual([200, 'Zoë'])

      const refresh = await client.openNested(answer.refresh_token)
      const refresh_token = await client.sealWithProof(
        refresh.jws,
        client.binding('POST', '/token'),
      )
      const form = JSON.stringify({ grant_type: 'refresh_token', refresh_token })
      const pair = await client.send('POST', '/token', { body: form })
      const next = await client.openNested(pair.body.access_token)
      expect(next.claims).toMatchObject({ sid: answer.session_id, cnf: claims['cnf'] })
    })
  })
}
