/** What a token exchange is answered, against the document of the API. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { features } from '../../../server/features.ts'
import { fetchApiDocument, type ApiDocument } from '../../support/api-document.ts'
import { createClock } from '../../support/clock.ts'
import { someEmail, TestClient } from '../../support/client.ts'
import { UNLIMITED } from '../../support/config.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { exchange, exchanged, issuersFile, Provider } from './provider.ts'

const clock = createClock()
let provider: Provider
let server: TestServer
let client: TestClient
/** `undefined` if the feature api-docs was taken out. */
let api: ApiDocument | undefined
beforeAll(async () => {
  provider = await Provider.start(clock)
  const variables = { TRUSTED_ISSUERS: issuersFile([provider.entry()]) }
  server = await startTestServer({ clock, features, variables, config: { rateLimits: UNLIMITED } })
  client = await TestClient.registered(server.url)
  api = await fetchApiDocument(server.url)
})
afterAll(async () => {
  await Promise.all([server.stop(), provider.stop()])
})

test('a token exchange is answered as documented', async () => {
  const person = { sub: 'somebody', email: someEmail(), name: 'Ada' }
  for (const claims of [person, { ...person, name: undefined }]) {
    const idToken = await provider.idToken(client.id, claims)
    const answer = await exchange(client, idToken)
    expect(answer.status).toBe(200)
    api?.check('POST /token', answer)
    const again = await exchange(client, idToken)
    expect(again.status).toBe(400)
    api?.check('POST /token', again)
  }
})

test("somebody's identities are listed, linked and unlinked as documented", async () => {
  const email = someEmail()
  const session = await exchanged(client, await provider.idToken(client.id, { sub: 'a', email }))
  const idToken = await provider.idToken(client.id, { sub: 'b', email })
  const linked = await client.sendAs(session, 'POST', '/account/identities', {
    subject_token: idToken,
  })
  api?.check('POST /account/identities', linked)
  const listed = await client.sendAs(session, 'GET', '/account/identities')
  api?.check('GET /account/identities', listed)
  expect([linked.status, listed.status, listed.body.identities.length]).toEqual([201, 200, 2])
  const { identity_id } = listed.body.identities[0]
  const path = `/account/identities/${identity_id}`
  const unlinked = await client.sendAs(session, 'DELETE', path)
  api?.check('DELETE /account/identities/{identity_id}', unlinked)
  expect(unlinked.status).toBe(204)
})
