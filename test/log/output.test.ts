import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { audit } from '../../server/log/audit.ts'
import { createLogger, type Logger } from '../../server/log/logger.ts'
import { ACCESS_LINE, createOutput } from '../../server/log/output.ts'

let folder: string
let file: number
let logger: Logger
beforeEach(() => {
  // No timer of a stream may outlive its test, when its descriptor is closed or another file's.
  jest.useFakeTimers()
  folder = mkdtempSync(join(tmpdir(), 'output-'))
  file = openSync(join(folder, 'log'), 'w')
  logger = createLogger('info', createOutput(file))
})
afterEach(() => {
  jest.useRealTimers()
  closeSync(file)
  rmSync(folder, { recursive: true })
})

const written = () =>
  readFileSync(join(folder, 'log'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { msg: string }).msg)

test('access lines are buffered, and every other line is written at once', () => {
  logger.info({ status: 200 }, ACCESS_LINE)
  expect(written()).toEqual([])
  logger.info('anything else')
  expect(written()).toEqual([ACCESS_LINE, 'anything else'])
})

test('an audit event is written at once, from the logger of a request', () => {
  const log = logger.child({ request_id: 'a' })
  log.info({ status: 200 }, ACCESS_LINE)
  audit(log, 'login', { account_id: 'b' })
  expect(written()).toEqual([ACCESS_LINE, 'login'])
})

test('flush() writes the buffered access lines', () => {
  logger.info({ status: 200 }, ACCESS_LINE)
  logger.flush()
  expect(written()).toEqual([ACCESS_LINE])
})

test('many access lines are written without a flush', () => {
  for (let n = 0; n < 300; n++) logger.info({ status: 200 }, ACCESS_LINE)
  expect(written().length).toBeGreaterThan(150)
})

test('no access line waits for more than a second', () => {
  logger.info({ status: 200 }, ACCESS_LINE)
  jest.advanceTimersByTime(999)
  expect(written()).toEqual([])
  jest.advanceTimersByTime(1)
  expect(written()).toEqual([ACCESS_LINE])
})
