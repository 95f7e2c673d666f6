/** The client library's half of the reset, with a real server. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { clientOf, codeOf, signedUp } from '../../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import { mailedToken, startResetServer, UNLIMITED, type ResetServer } from './reset-server.ts'

const NEW_PASSWORD = 'another brick in the wall'

let server: ResetServer
beforeAll(async () => {
  server = await startResetServer({ config: { rateLimits: UNLIMITED } })
})
afterAll(() => server.stop())

test('a mailed token sets a new password once, and ends every session', async () => {
  const { client, email } = await signedUp(server)
  await client.account.requestPasswordReset(someEmail())
  await client.account.requestPasswordReset(email)
  const token = await mailedToken(server, email)
  const away = clientOf(server).client
  const reset = { email, token, password: NEW_PASSWORD }
  await away.account.resetPassword(reset)
  expect(await codeOf(away.account.resetPassword(reset))).toBe('invalid_grant')
  expect(await codeOf(client.fetch('/account'))).toBe('session_ended')
  await away.signIn({ email, password: NEW_PASSWORD })
})

test('the new password is derived with isNew, and never sent as typed', async () => {
  const derived: [string, boolean][] = []
  const derivePassword = (password: string, address: string, isNew: boolean) => {
    derived.push([password, isNew])
    return Promise.resolve(
      createHash('sha256').update(`${password} ${address}`).digest('base64url'),
    )
  }
  const { client, wire } = clientOf(server, { derivePassword })
  const email = someEmail()
  await client.signUp({ email, password: GOOD_PASSWORD })
  await client.account.requestPasswordReset(email)
  const token = await mailedToken(server, email)
  await client.account.resetPassword({ email, token, password: NEW_PASSWORD })
  await client.signIn({ email, password: NEW_PASSWORD })
  expect(derived).toEqual([
    [GOOD_PASSWORD, true],
    [NEW_PASSWORD, true],
    [NEW_PASSWORD, false],
  ])
  const bodies = await Promise.all(wire.sent.map(({ request }) => request.text()))
  expect(bodies.join('\n')).not.toMatch(/winding|brick/)
})
