import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createClock } from '../../support/clock.ts'
import type { TestClient } from '../../support/client.ts'
import { refuseSecrets } from '../../support/refuse-secrets.ts'
import type { TestServer } from '../../support/server.ts'
import { exchange, Provider, startFederated } from './provider.ts'

const clock = createClock()
let isRefusing = false
let server: TestServer
let client: TestClient
let provider: Provider
beforeAll(async () => {
  provider = await Provider.start(clock)
  const features = [refuseSecrets(() => isRefusing)]
  ;({ server, client } = await startFederated(clock, [provider.entry()], features))
})
afterAll(() => Promise.all([server.stop(), provider.stop()]))

test('every route that takes an ID token marks its body as secret', async () => {
  const session = await client.signUp()
  const subject_token = await provider.idToken(client.id, { sub: 'ada', email: 'ada@mail.test' })
  isRefusing = true
  for (const answer of [
    await exchange(client, subject_token),
    await client.sendAs(session, 'POST', '/account/identities', { subject_token }),
    await client.sendAs(session, 'DELETE', '/account', { subject_token }),
  ]) {
    expect([answer.status, answer.body.error]).toEqual([400, 'sealed_body_required'])
  }
  expect((await client.sendAs(session, 'GET', '/account/identities')).status).toBe(200)
})
