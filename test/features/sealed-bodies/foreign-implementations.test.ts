/** Implementations in other languages make sealed bodies and open sealed answers. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import { GOOD_PASSWORD } from '../../support/client.ts'
import { describeInstalled } from '../../support/describe-installed.ts'
import { ForeignClient } from '../../support/foreign/foreign-client.ts'
import { FOREIGN, type ForeignJose } from '../../support/foreign/foreign-jose.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

const headers = { 'content-type': 'application/jose', accept: 'application/jose' }

for (const [name, { start, ...requirement }] of Object.entries(FOREIGN)) {
  describeInstalled({ ...requirement, variable: 'REQUIRE_FOREIGN' }, name, () => {
    let jose: ForeignJose
    let server: TestServer
    beforeAll(async () => {
      jose = await start()
      server = await startTestServer({ features: [sealedBodies] })
    })
    afterAll(async () => {
      await server.stop()
      await jose.close()
    })

    test('signs in and renames the account with sealed bodies', async () => {
      const client = await ForeignClient.registered(server, jose)
      const { email } = await client.signUp()
      const fields = JSON.stringify({ email, password: GOOD_PASSWORD, client_id: client.id })
      const login = client.binding('POST', '/account/login')
      const body = await client.seal(fields, { cty: 'json', req: login })
      const signedIn = await client.send('POST', '/account/login', { body, headers })
      expect(signedIn.status).toBe(200)
      const { inner, claims } = await client.openNested(signedIn.text)
      expect(inner.typ).toBe('answer+jwt')
      expect(claims).toMatchObject({ aud: client.id, status: 200, req: login.jti })
      expect((await client.send('POST', '/account/login', { body, headers })).status).toBe(400)

      const session = claims['body'] as { access_token: string }
      const { jws } = await client.openNested(session.access_token)
      const own = client.binding('PATCH', '/account', { jws })
      const sealed = await client.seal('{"name":"Zoë"}', { cty: 'json', req: own })
      const req = client.binding('PATCH', '/account', { body: sealed })
      const token = await client.seal(jws, { req })
      const renamed = await client.send('PATCH', '/account', { token, body: sealed, headers })
      const answer = await client.openNested(renamed.text)
      expect(answer.claims).toMatchObject({ status: 200, req: own.jti })
      expect(answer.claims['body']).toMatchObject({ account: { name: 'Zoë' } })
    })
  })
}
