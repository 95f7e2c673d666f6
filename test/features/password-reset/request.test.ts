import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { createSmtpMailer } from '../../../server/features/password-reset/mailer/smtp-mailer.ts'
import { GOOD_PASSWORD, someEmail, TestClient, type Answer } from '../../support/client.ts'
import { logLines } from '../../support/log-lines.ts'
import { mailedToken, startResetServer, UNLIMITED, type ResetServer } from './reset-server.ts'

const NEW_PASSWORD = 'another brick in the wall'

let server: ResetServer
let client: TestClient
beforeAll(async () => {
  server = await startResetServer({ config: { rateLimits: UNLIMITED } })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

/** A new person, signed in. */
async function person() {
  const email = someEmail()
  return { email, session: await client.signUp(email) }
}
const isAlive = async (session: { readonly accessJws: string }) =>
  (await client.sendAs(session, 'GET', '/account')).status === 200
const tryLogin = async (email: string, password: string) =>
  (await client.send('POST', '/account/login', { email, password, client_id: client.id })).status
const reset = (token: unknown, new_password: unknown = NEW_PASSWORD) =>
  client.send('PUT', '/account/password-reset', { token, new_password })
const requestReset = (email: unknown, id = 'reset') =>
  client.send('POST', '/account/password-reset', { email }, { 'x-request-id': id })
async function resetToken(email: string): Promise<string> {
  expect((await requestReset(email)).status).toBe(202)
  return mailedToken(server, email)
}

const visible = ({ status, headers, text }: Answer) => ({
  status,
  text,
  headers: [...headers].filter(([name]) => name !== 'date'),
})

describe('a reset request', () => {
  test('has the same answer for a known and an unknown address, and mails only the known one', async () => {
    const { email } = await person()
    const before = server.mailer.sent.length
    const known = await requestReset(email)
    await server.background.idle()
    expect(server.mailer.sent.slice(before).map(({ to }) => to)).toEqual([email])
    const unknown = await requestReset(someEmail())
    await server.background.idle()
    expect(server.mailer.sent).toHaveLength(before + 1)
    expect(known.status).toBe(202)
    expect(known.headers.get('cache-control')).toBe('no-store')
    expect(visible(unknown)).toEqual(visible(known))
  })

  test('has the same log lines for both, except for their times', async () => {
    const { email } = await person()
    const linesOf = async (address: string, id: string) => {
      await requestReset(address, id)
      await server.background.idle()
      return logLines(server, id).map((line) => ({ ...line, time: 0, ms: 0, request_id: '' }))
    }
    expect(await linesOf(someEmail(), 'unknown-1')).toEqual(await linesOf(email, 'known-1'))
  })

  test('mails the address as the account has it, whatever the case of the request', async () => {
    const email = `Person-${process.pid}@Mail.test`
    await client.signUp(email)
    await requestReset(email.toLowerCase())
    await mailedToken(server, email)
  })

  test.each([
    undefined,
    null,
    1,
    '',
    'no address',
    'a@b.test,c@d.test',
    'a@b.test\n',
    ['a@b.test'],
  ])('with the address %j is refused with an error that names email', async (email) => {
    const answer = await requestReset(email)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    expect(answer.body.error_description).toMatch(/^email /)
  })

  test('signs nobody out and keeps the password', async () => {
    const { email, session } = await person()
    await resetToken(email)
    expect(await isAlive(session)).toBe(true)
    expect(await tryLogin(email, GOOD_PASSWORD)).toBe(200)
  })

  test('sends no sixth message while five tokens are valid, with the same answer', async () => {
    const { email } = await person()
    const before = server.mailer.sent.length
    const answers = []
    for (let i = 0; i < 6; i++) answers.push(await requestReset(email))
    await server.background.idle()
    expect(server.mailer.sent.slice(before).map(({ to }) => to)).toEqual(Array(5).fill(email))
    for (const answer of answers) expect(visible(answer)).toEqual(visible(answers[0]!))
    expect(answers[0]!.status).toBe(202)
    // Any token is valid, and using one removes all: the next request is mailed again.
    expect((await reset(await mailedToken(server, email))).status).toBe(204)
    await resetToken(email)
  })

  test('is not delayed by a mail that cannot be delivered', async () => {
    const [{ email: stuck }, { email }] = [await person(), await person()]
    const send = server.mailer.send.bind(server.mailer)
    let deliver: () => void = () => undefined
    const arrived = new Promise<void>((resolve) => {
      server.mailer.send = async (message) => {
        if (message.to === stuck) return new Promise<void>((done) => (deliver = done))
        await send(message)
        resolve()
      }
    })
    try {
      expect((await requestReset(stuck)).status).toBe(202)
      expect((await requestReset(email)).status).toBe(202)
      await arrived
      expect(server.mailer.sent.at(-1)!.to).toBe(email)
    } finally {
      server.mailer.send = send
      deliver()
    }
    await server.background.idle()
  })

  test('has the same 503 for everybody while too many wait', async () => {
    const { email } = await person()
    const before = server.mailer.sent.length
    let release: () => void = () => undefined
    server.background.run(
      () =>
        new Promise((resolve) => {
          release = resolve
        }),
    )
    await new Promise((resolve) => setImmediate(resolve))
    for (let i = 0; i < 1000; i++) server.background.run(() => Promise.resolve())
    const [known, unknown] = [await requestReset(email), await requestReset(someEmail())]
    expect([known.status, known.body.error]).toEqual([503, 'temporarily_unavailable'])
    expect(known.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(visible(unknown)).toEqual(visible(known))
    release()
    await server.background.idle()
    expect(server.mailer.sent).toHaveLength(before)
    await resetToken(email)
  })

  describe('whose mail cannot be sent', () => {
    /** The log lines of a request whose mail failed. */
    async function logOfFailure(email: string, id: string): Promise<string> {
      const answer = await requestReset(email, id)
      await server.background.idle()
      expect([answer.status, answer.text]).toEqual([202, '{}'])
      const lines = logLines(server, id)
      expect(lines.filter(({ level }) => level === 'error')).toMatchObject([
        { msg: 'the password reset could not be sent', err: { message: expect.any(String) } },
      ])
      return JSON.stringify(lines)
    }

    test('has the same answer, and logs the error without the token and the address', async () => {
      const { email } = await person()
      const send = server.mailer.send.bind(server.mailer)
      let token = ''
      server.mailer.send = ({ text }) => {
        token = text.split('\n').find((line) => line.startsWith('eyJ'))!
        return Promise.reject(new Error(`the message could not be sent: ${text}`))
      }
      try {
        const log = await logOfFailure(email, 'failing-1')
        expect(token.split('.')).toHaveLength(5)
        for (const part of token.split('.')) {
          if (part.length > 20) expect(log).not.toContain(part)
        }
        expect(log).not.toContain(email)
      } finally {
        server.mailer.send = send
      }
      await resetToken(email)
    })

    test('does not log the address that an SMTP server quotes', async () => {
      const { email } = await person()
      const smtp = new SMTPServer({
        authOptional: true,
        hideSTARTTLS: true,
        disableReverseLookup: true,
        onRcptTo({ address }, _, done) {
          const error = new Error(`5.1.1 <${address}>: Recipient address rejected: User unknown`)
          done(Object.assign(error, { responseCode: 550 }))
        },
      })
      smtp.listen(0, '127.0.0.1')
      await once(smtp.server, 'listening')
      const { port } = smtp.server.address() as AddressInfo
      const url = `smtp://127.0.0.1:${port}`
      const mailer = await createSmtpMailer({ url, from: 'auth@mail.test' }, false)
      const send = server.mailer.send.bind(server.mailer)
      server.mailer.send = (message) => mailer.send(message)
      try {
        expect(await logOfFailure(email, 'failing-2')).not.toContain(email)
      } finally {
        server.mailer.send = send
        mailer.close()
        await new Promise<void>((resolve) => {
          smtp.close(resolve)
        })
      }
    })
  })
})
