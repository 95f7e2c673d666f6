import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '../../../../server/log/logger.ts'
import { createMailer } from '../../../../server/features/password-reset/mailer/create-mailer.ts'

const MESSAGE = { to: 'ada@mail.test', subject: 'Hello', text: 'Hello' }

let mailFolder: string
let logs: string[]
beforeEach(async () => {
  mailFolder = await mkdtemp(join(tmpdir(), 'mail-'))
  logs = []
})
afterEach(() => rm(mailFolder, { recursive: true }))

const logger = createLogger('trace', { write: (line) => void logs.push(line) })
const warnings = () =>
  logs
    .map((line) => JSON.parse(line) as { level: string; msg: string })
    .filter(({ level }) => level === 'warn')

test.each([false, true])(
  'without SMTP messages go to the folder, with a warning in production (%s)',
  async (production) => {
    const mailer = await createMailer({ smtp: undefined, folder: mailFolder, production }, logger)
    await mailer.send(MESSAGE)
    mailer.close()
    expect(await readdir(mailFolder)).toHaveLength(1)
    expect(warnings().map(({ msg }) => msg)).toEqual(
      production ? [expect.stringMatching(/^SMTP_URL is not set: .*MAIL_FROM/)] : [],
    )
  },
)

test('with SMTP no message goes to the folder', async () => {
  // Nothing listens on port 1.
  const smtp = { url: 'smtp://127.0.0.1:1', from: 'auth@mail.test' }
  const mailer = await createMailer({ smtp, folder: mailFolder, production: true }, logger)
  await expect(mailer.send(MESSAGE)).rejects.toMatchObject({ code: expect.any(String) })
  mailer.close()
  expect(await readdir(mailFolder)).toEqual([])
  expect(warnings()).toEqual([])
})
