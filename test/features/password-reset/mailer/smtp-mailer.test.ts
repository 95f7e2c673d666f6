import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { createSmtpMailer } from '../../../../server/features/password-reset/mailer/smtp-mailer.ts'

const FROM = 'Auth <auth@mail.test>'
const MESSAGE = { to: 'ada@mail.test', subject: 'Zoë’s password', text: 'One line.\n.\nAnother.' }

interface Received {
  readonly from: string
  readonly to: string[]
  readonly text: string
  readonly isSecure: boolean
}

const servers: SMTPServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    await new Promise<void>((resolve) => {
      server.close(resolve)
    })
  }
})

/** A real server on a free port; by default without STARTTLS or passwords. */
async function startSmtp(options: SMTPServerOptions = {}) {
  const received: Received[] = []
  const commands: string[] = []
  const server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    disableReverseLookup: true,
    onData(stream, { envelope, secure }, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        received.push({
          from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
          to: envelope.rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString(),
          isSecure: secure,
        })
        done()
      })
    },
    onMailFrom({ address }, _, done) {
      commands.push(`MAIL ${address}`)
      done()
    },
    ...options,
  })
  // Some tests hang up in the middle.
  server.on('error', () => undefined)
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  return { received, commands, port, url: `smtp://127.0.0.1:${port}` }
}

async function send(url: string, { requireTls = false, ...changes }: Options = {}) {
  const mailer = await createSmtpMailer({ url, from: FROM }, requireTls)
  try {
    await mailer.send({ ...MESSAGE, ...changes })
  } finally {
    mailer.close()
  }
}
interface Options {
  readonly requireTls?: boolean
  readonly to?: string
  readonly subject?: string
}

/** The names of a message's header fields, in lower case. */
const headersOf = (text: string) =>
  (text.split('\r\n\r\n')[0] ?? '')
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .map((field) => field.slice(0, field.indexOf(':')).toLowerCase())

test('a message arrives with the right sender and recipient', async () => {
  const { url, received } = await startSmtp()
  await send(url)
  expect(received).toEqual([
    {
      from: 'auth@mail.test',
      to: ['ada@mail.test'],
      text: expect.stringMatching(/^From: Auth <auth@mail\.test>\r$/m),
      isSecure: false,
    },
  ])
  const { text } = received[0]!
  expect(text).toMatch(/^To: ada@mail\.test\r$/m)
  expect(text).toMatch(/^Content-Type: text\/plain; charset=utf-8\r$/m)
  expect(text.split('\r\n\r\n')[1]?.trim()).toBe('One line.\r\n.\r\nAnother.')
})

test('the user name and password of the URL are used', async () => {
  const attempts: unknown[] = []
  const { url, received } = await startSmtp({
    authOptional: false,
    allowInsecureAuth: true,
    onAuth({ username, password }, _, done) {
      attempts.push([username, password])
      if (password === 'p@ss/word') done(null, { user: username })
      else done(new Error('no'))
    },
  })
  await send(url.replace('//', '//ada:p%40ss%2Fword@'))
  expect(received).toHaveLength(1)
  await expect(send(url.replace('//', '//ada:wrong@'))).rejects.toMatchObject({ code: 'EAUTH' })
  expect(received).toHaveLength(1)
  expect(attempts[0]).toEqual(['ada', 'p@ss/word'])
})

describe('send rejects, and no message is sent,', () => {
  const refuse = (code: number) => (_: unknown, __: unknown, done: (error: Error) => void) => {
    done(Object.assign(new Error('refused here'), { responseCode: code }))
  }
  test.each<[string, SMTPServerOptions]>([
    ['the sender', { onMailFrom: refuse(550) }],
    ['the recipient', { onRcptTo: refuse(550) }],
    ['the recipient temporarily', { onRcptTo: refuse(451) }],
    [
      'the message',
      {
        onData(stream, session, done) {
          stream.resume()
          stream.on('end', () => {
            refuse(552)(null, session, done)
          })
        },
      },
    ],
  ])('if the server refuses %s', async (_, options) => {
    const { url, received } = await startSmtp(options)
    await expect(send(url)).rejects.toThrow(/\d{3}\)$/)
    expect(received).toEqual([])
  })

  test('if nothing listens', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    await expect(send(`smtp://127.0.0.1:${port}`)).rejects.toMatchObject({
      code: expect.any(String),
    })
  })

  test('if the server hangs up', async () => {
    const server = createServer((socket) => socket.end('421 busy\r\n')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await expect(send(`smtp://127.0.0.1:${port}`)).rejects.toMatchObject({
      code: expect.any(String),
    })
    server.close()
  })
})

describe('TLS', () => {
  // An address of this machine that the mailer does not recognize as one.
  const elsewhere = (port: number) => `smtp://127.1:${port}`

  test('is required: nothing is sent to a server that does not offer it', async () => {
    const { port, received, commands } = await startSmtp()
    await expect(send(elsewhere(port), { requireTls: true })).rejects.toMatchObject({
      code: expect.stringMatching(/^E(TLS|PROTOCOL|SOCKET)/),
    })
    expect([received, commands]).toEqual([[], []])
  })

  test('is not used if it is neither required nor offered', async () => {
    const { port, received } = await startSmtp()
    await send(elsewhere(port))
    expect(received).toHaveLength(1)
  })

  test.each(['127.0.0.1', 'localhost'])('is not required on this machine: %s', async (host) => {
    const { port, received } = await startSmtp()
    await send(`smtp://${host}:${port}`, { requireTls: true })
    expect(received).toHaveLength(1)
  })

  test.each([true, false])(
    'with an untrusted certificate sends nothing (required: %s)',
    async (requireTls) => {
      // smtp-server's own certificate is self-signed, and it warns about that.
      const warn = jest.spyOn(console, 'error').mockReturnValue()
      const { port, received, commands } = await startSmtp({ hideSTARTTLS: false })
      warn.mockRestore()
      await expect(send(elsewhere(port), { requireTls })).rejects.toMatchObject({
        code: expect.any(String),
      })
      expect([received, commands]).toEqual([[], []])
    },
  )
})

describe('an address never becomes several recipients or another header:', () => {
  const headerNames = async () => {
    const { url, received } = await startSmtp()
    await send(url)
    return headersOf(received[0]?.text ?? '').sort()
  }

  test.each([
    'ada@mail.test,eve@mail.test',
    'ada@mail.test, eve@mail.test',
    'ada@mail.test;eve@mail.test',
    'ada@mail.test eve@mail.test',
    'ada@mail.test\neve@mail.test',
    'ada@mail.test\r\nBcc: eve@mail.test',
    'ada@mail.test>\r\nRCPT TO:<eve@mail.test',
    'ada@mail.test> <eve@mail.test',
    '"ada@mail.test,eve@mail.test"',
    '"ada, eve@mail.test" <eve@mail.test>',
    '"ada\r\nBcc: eve@mail.test"@mail.test',
    'Eve <eve@mail.test>, ada@mail.test',
    'friends: ada@mail.test, eve@mail.test;',
    'ada@mail.test\0eve@mail.test',
  ])('%j', async (to) => {
    const { url, received } = await startSmtp()
    // Refusing it is as good as sending it to one recipient.
    const refused = await send(url, { to }).catch((error: unknown) => error)
    if (refused !== undefined) {
      expect(refused).toMatchObject({ code: expect.any(String) })
      expect(received).toEqual([])
      return
    }
    expect(received).toHaveLength(1)
    const { to: recipients, text } = received[0]!
    expect(recipients).toHaveLength(1)
    expect(recipients).not.toContain('eve@mail.test')
    expect(headersOf(text).sort()).toEqual(await headerNames())
  })

  test('and neither does a subject', async () => {
    const { url, received } = await startSmtp()
    await send(url, { subject: 'Hello\r\nBcc: eve@mail.test' })
    expect(received[0]?.to).toEqual(['ada@mail.test'])
    expect(headersOf(received[0]?.text ?? '').sort()).toEqual(await headerNames())
  })
})
