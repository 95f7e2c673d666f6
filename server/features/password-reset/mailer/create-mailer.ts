import type { Config } from '../../../config/config.ts'
import type { Logger } from '../../../log/logger.ts'
import { createFolderMailer } from './folder-mailer.ts'
import type { Mailer } from './mailer.ts'
import { createSmtpMailer } from './smtp-mailer.ts'

/** SMTP where it is configured; else a folder, for development. */
export function createMailer(config: Config, logger: Logger): Promise<Mailer> {
  if (config.smtp === undefined) {
    if (config.production) {
      logger.warn(
        `SMTP_URL is not set: password resets are written to ${config.mailFolder} and reach nobody. Set SMTP_URL and MAIL_FROM.`,
      )
    }
    return Promise.resolve(createFolderMailer(config.mailFolder, logger))
  }
  return createSmtpMailer(config.smtp, config.production)
}
