import type { Mailer } from './mailer.ts'

/** A message that was not sent. The server's own words are left out: they quote the address. */
class MailError extends Error {
  readonly code: string

  constructor(error: unknown) {
    const { code = 'unknown', responseCode } = error as { code?: string; responseCode?: number }
    super(`The mail server did not take the message (${[code, responseCode].join(' ').trim()})`)
    this.name = 'MailError'
    this.code = code
  }
}

/** Milliseconds. */
const TIMEOUT = 10_000

/**
 * Sends over SMTP (RFC 5321).
 *
 * @param requireTls Refuses a server that offers no STARTTLS, but on this machine itself: a message
 *   may hold a token.
 */
export async function createSmtpMailer(
  { url, from }: { readonly url: string; readonly from: string },
  requireTls: boolean,
): Promise<Mailer> {
  // Loaded where it is used: most development servers never do.
  const { createTransport } = await import('nodemailer')
  const { hostname } = new URL(url)
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  const transport = createTransport(
    {
      url,
      connectionTimeout: TIMEOUT,
      greetingTimeout: TIMEOUT,
      socketTimeout: TIMEOUT,
      ...(requireTls && !isLocal ? { requireTLS: true } : {}),
    },
    { from },
  )
  return {
    async send({ to, subject, text }) {
      // As an object: an address must not be read as a list of addresses.
      await transport
        .sendMail({ to: { name: '', address: to }, subject, text })
        .catch((error: unknown) => {
          throw new MailError(error)
        })
    },
    close() {
      transport.close()
    },
  }
}
