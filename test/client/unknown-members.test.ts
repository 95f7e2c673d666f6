/** What a server adds to its answers reaches the app, although the client does not know it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { clientOf, jsonResponse, signedUp, startServer } from '../support/auth-client.ts'
import { GOOD_PASSWORD } from '../support/client.ts'
import { encryptJwe } from '../support/foreign-jose.ts'
import type { TestServer } from '../support/server.ts'
import { forge } from '../token/fixtures.ts'
import { publicKeyOf } from './token/fixtures.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())

test('an unknown claim of the access token is returned', async () => {
  const { client, store, wire, email } = await signedUp(server)
  const { header, claims } = await client.accessToken()
  const { privateKey } = server.keystore.signingKey
  const key = (await store.loadKey())!
  const jws = forge(header, { ...claims, plan: 'gold' }, privateKey)
  const access_token = encryptJwe(jws, publicKeyOf(key), { kid: key.id, cty: 'JWT' })
  wire.on('POST /account/login', async (request, send) => {
    const answer = (await (await send(request)).json()) as object
    return jsonResponse({ ...answer, access_token, session_id: claims.sid, refresh_token })
  })
  const { refresh_token } = (await store.read('session')) as { refresh_token: string }
  const session = await client.signIn({ email, password: GOOD_PASSWORD })
  expect(session.claims).toEqual({ ...claims, plan: 'gold' })
  expect((await client.accessToken()).claims).toEqual({ ...claims, plan: 'gold' })
  expect(await client.verify(jws)).toEqual({ ...claims, plan: 'gold' })
})

test('an unknown field of the account is returned', async () => {
  const { client, store } = await signedUp(server)
  const page = clientOf(server, { store })
  const plan = { level: 'gold', until: null }
  for (const line of ['GET /account', 'PATCH /account']) {
    page.wire.on(line, async (request, send) => {
      const answer = (await (await send(request)).json()) as { account: object }
      return jsonResponse({ ...answer, account: { ...answer.account, plan } })
    })
  }
  const account = { ...client.session!.account, plan }
  expect((await page.client.resume())?.account).toEqual(account)
  expect((await page.client.account.read()).account).toEqual(account)
  expect(await page.client.account.rename('Ada')).toEqual({ ...account, name: 'Ada' })
  expect(page.client.session?.account).toEqual({ ...account, name: 'Ada' })
})
