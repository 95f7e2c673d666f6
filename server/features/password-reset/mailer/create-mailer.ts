import type { Logger } from '../../../log/logger.ts'
import { createFolderMailer } from './folder-mailer.ts'
import type { Mailer } from './mailer.ts'
import { createSmtpMailer } from './smtp-mailer.ts'

interface MailerOptions {
  /** The mail server's URL and the sender; without it, messages are written to `folder`. */
  readonly smtp: { readonly url: string; readonly from: string } | undefined
  readonly folder: string
  readonly production: boolean
}

/** Uses SMTP if it is configured; otherwise a folder, for development. */
export function createMailer(
  { smtp, folder, production }: MailerOptions,
  logger: Logger,
): Promise<Mailer> {
  if (smtp !== undefined) return createSmtpMailer(smtp, production)
  if (production) {
    logger.warn(
      `SMTP_URL is not set: password resets are written to ${folder} and reach nobody. Set SMTP_URL and MAIL_FROM.`,
    )
  }
  return Promise.resolve(createFolderMailer(folder, logger))
}
