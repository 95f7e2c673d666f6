import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../../../log/logger.ts'
import type { Mailer } from './mailer.ts'

/**
 * Writes each message to its own file, which only the server's user can read, and logs the file's
 * path. The log never contains a message, because a message may contain a token.
 */
export function createFolderMailer(folder: string, logger: Logger): Mailer {
  return {
    async send({ to, subject, text }) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const time = new Date().toISOString().replaceAll(':', '-')
      const path = join(folder, `${time}-${randomUUID().slice(0, 8)}.txt`)
      await writeFile(path, `To: ${to}\nSubject: ${subject}\n\n${text}\n`, { mode: 0o600 })
      logger.info({ path }, 'a message was written')
    },
    close() {
      // Nothing is held open.
    },
  }
}
