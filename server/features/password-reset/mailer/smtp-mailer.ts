import type { Mailer } from './mailer.ts'

/** A message was not sent. Omits the mail server's own words, because they quote the address. */
class MailError extends Error {
  readonly code: string

  constructor(error: unknown) {
    const { code = 'unknown', responseCode } = error as { code?: string; responseCode?: number }
    super(`The mail server did not accept the message (${[code, responseCode].join(' ').trim()})`)
    this.name = 'MailError'
    this.code = code
  }
}

/** Milliseconds. */
const TIMEOUT = 10_000

/**
 * Sends messages over SMTP (RFC 5321).
 *
 * @param requireTls Whether to refuse a remote server without STARTTLS, because a message may contain a
 *   token.
 */
export async function createSmtpMailer(
  { url, from }: { readonly url: string; readonly from: string },
  requireTls: boolean,
): Promise<Mailer> {
  // Loaded on demand, because most development servers never use it.
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
      // An object, so that nodemailer does not parse the address as a list of addresses.
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
