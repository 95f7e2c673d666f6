import { afterEach, expect, test } from '@jest/globals'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'
import { passwordReset } from '../../../server/features/password-reset/index.ts'
import { someEmail, TestClient } from '../../support/client.ts'
import { startTestServer } from '../../support/server.ts'

const ending: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0)) await end()
})

test('with SMTP_URL the message is sent by mail', async () => {
  let receive: (message: string) => void
  const message = new Promise<string>((resolve) => (receive = resolve))
  const smtp = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    disableReverseLookup: true,
    onData: (stream, _session, done) => {
      text(stream)
        .then(receive, () => undefined)
        .finally(done)
    },
  })
  smtp.listen(0, '127.0.0.1')
  await once(smtp.server, 'listening')
  ending.push(async () => {
    smtp.close()
    await once(smtp.server, 'close')
  })
  const { port } = smtp.server.address() as AddressInfo
  const server = await startTestServer({
    features: [passwordReset],
    variables: { SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: 'auth@mail.test' },
  })
  ending.unshift(() => server.stop())

  const client = await TestClient.registered(server.url)
  const email = someEmail()
  await client.signUp(email)
  expect((await client.send('POST', '/account/password-reset', { email })).status).toBe(202)
  expect(await message).toMatch(new RegExp(`^To: ${email}\r$`, 'm'))
})
