import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { TestClient } from '../../support/client.ts'
import { refuseSecrets } from '../../support/refuse-secrets.ts'
import { startResetServer, type ResetServer } from './reset-server.ts'

let server: ResetServer
beforeAll(async () => {
  server = await startResetServer({ features: [refuseSecrets()] })
})
afterAll(() => server.stop())

test("the body with the new password is marked as secret, the request's is not", async () => {
  const client = await TestClient.create(server.url)
  const path = '/account/password-reset'
  const { body } = await client.send('PUT', path, { token: 'x', new_password: 'y' })
  expect(body.error).toBe('sealed_body_required')
  expect((await client.send('POST', path, { email: 'ada@mail.test' })).status).toBe(202)
})
