import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { someEmail, TestClient } from '../../support/client.ts'
import {
  openReset,
  resetTokenFor,
  startResetServer,
  UNLIMITED,
  type ResetServer,
} from './reset-server.ts'

const PATH = '/account/password-reset'
const new_password = 'another brick in the wall'

let server: ResetServer
let client: TestClient
beforeAll(async () => {
  server = await startResetServer({
    config: { rateLimits: UNLIMITED, requestBinding: 'required' },
  })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

async function resetToken() {
  const email = someEmail()
  await client.signUp(email)
  return resetTokenFor(server, client, email)
}
const reset = async (token: string) =>
  (await client.send('PUT', PATH, { token, new_password })).status

test('a reset token that is bound to another request is refused', async () => {
  const jws = await openReset(server, await resetToken())
  const sealed = (htu: string) =>
    client.seal(jws, {
      req: { jti: randomUUID(), iat: Math.floor(server.clock() / 1000), htm: 'PUT', htu },
    })
  expect(await reset(await sealed(`https://evil.test${PATH}`))).toBe(400)
  expect(await reset(await sealed(server.config.issuer + PATH))).toBe(204)
})

test('a failing replay cache is a 500, and the reset token stays valid', async () => {
  let isBroken = true
  const broken = await startResetServer({
    replayCache: {
      remember: () => (isBroken ? Promise.reject(new Error('no cache')) : Promise.resolve('new')),
    },
  })
  try {
    const other = await TestClient.registered(broken.url)
    const email = someEmail()
    await other.signUp(email)
    const jws = await openReset(broken, await resetTokenFor(broken, other, email))
    const iat = Math.floor(broken.clock() / 1000)
    const htu = broken.config.issuer + PATH
    const send = async () => {
      const token = await other.seal(jws, { req: { jti: randomUUID(), iat, htm: 'PUT', htu } })
      return (await other.send('PUT', PATH, { token, new_password })).status
    }
    expect(await send()).toBe(500)
    isBroken = false
    expect(await send()).toBe(204)
  } finally {
    await broken.stop()
  }
})

test('a reset token needs no binding, even if access tokens do', async () => {
  expect(await reset(await resetToken())).toBe(204)
})
