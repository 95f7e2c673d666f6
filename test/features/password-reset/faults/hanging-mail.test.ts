/** A mail server that accepts connections and sends nothing. */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, test } from '@jest/globals'
import { createLastingServer } from '../../../faults/lasting-server.ts'
import { someEmail, TestClient } from '../../../support/client.ts'
import { report } from '../../../support/report.ts'

/** Milliseconds. The server's time limit is 10 s for mail, and 10 s for a stop. */
const STOPPED_WITHIN = 30_000
const RESETS = 50

test(`${RESETS} resets with a hanging mail server delay neither an answer nor the stop`, async () => {
  const sockets = new Set<Socket>()
  const mail = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
  }).listen(0, '127.0.0.1')
  await once(mail, 'listening')
  const { port } = mail.address() as AddressInfo
  const server = await createLastingServer({
    preserve: true,
    variables: { SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: 'auth@mail.test' },
  })
  try {
    await server.start()
    const client = await TestClient.registered(server.url)
    const email = someEmail()
    const session = await client.signUp(email)
    const reset = () => client.send('POST', '/account/password-reset', { email })
    const answers = await Promise.all(Array.from({ length: RESETS }, reset))
    expect(answers.filter(({ status }) => status !== 202)).toEqual([])
    // No mail has failed yet, so no answer waited for one.
    expect(server.program.stdout.text).not.toContain('could not be sent')
    expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
    await client.login(email)

    const [, line] = await server.program.stdout.until(/(\{[^\n]*could not be sent[^\n]*)\n/)
    expect(line).toContain('"code":"ETIMEDOUT"')
    expect(line).not.toContain(email)
    await client.login(email)

    await reset()
    const start = performance.now()
    server.program.signal('SIGTERM')
    expect(await server.program.exit).toBe(0)
    const seconds = (performance.now() - start) / 1000
    expect(seconds).toBeLessThan(STOPPED_WITHIN / 1000)
    report(
      `a mail server that hangs: ${RESETS} resets answered at once; stopped within ${seconds.toFixed(1)} s`,
    )
  } finally {
    await server.remove()
    for (const socket of sockets) socket.destroy()
    mail.close()
  }
})
