import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '../../../../server/log/logger.ts'
import { createFolderMailer } from '../../../../server/features/password-reset/mailer/folder-mailer.ts'

const MESSAGE = {
  to: 'ada@mail.test',
  subject: 'Reset your password',
  text: 'eyJhbGciOiJF.a.b.c.d',
}

let parent: string
let folder: string
let logs: string[]
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'mail-'))
  folder = join(parent, 'data', 'mail')
  logs = []
})
afterEach(() => rm(parent, { recursive: true }))

const mailer = () =>
  createFolderMailer(folder, createLogger('trace', { write: (line) => void logs.push(line) }))
const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

test('a message is a private file in a private folder', async () => {
  await mailer().send(MESSAGE)
  const [name = ''] = await readdir(folder)
  const path = join(folder, name)
  expect(await readFile(path, 'utf8')).toBe(
    `To: ${MESSAGE.to}\nSubject: ${MESSAGE.subject}\n\n${MESSAGE.text}\n`,
  )
  expect([await modeOf(path), await modeOf(folder)]).toEqual(['600', '700'])
})

test('the log names the file, not its content', async () => {
  await mailer().send(MESSAGE)
  const [name = ''] = await readdir(folder)
  expect(logs.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      level: 'info',
      time: expect.any(String),
      path: join(folder, name),
      msg: 'a message was written',
    },
  ])
  expect(name).toMatch(/^[\d-]{10}T[\d-]{8}\.\d{3}Z-[\da-f]{8}\.txt$/)
})

test('concurrent messages each get their own file', async () => {
  const own = mailer()
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => own.send({ ...MESSAGE, text: `text ${i}` })),
  )
  const names = await readdir(folder)
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  expect(new Set(texts).size).toBe(20)
})

test('a message that cannot be written is an error and is not logged', async () => {
  const logger = createLogger('trace', { write: (line) => void logs.push(line) })
  const broken = createFolderMailer(join(import.meta.filename, 'mail'), logger)
  await expect(broken.send(MESSAGE)).rejects.toMatchObject({ code: 'ENOTDIR' })
  expect(logs).toEqual([])
})

test('close does nothing, and can be called twice', () => {
  const open = mailer()
  expect(() => {
    open.close()
    open.close()
  }).not.toThrow()
})
