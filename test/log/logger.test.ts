import { describe, expect, test } from '@jest/globals'
import { errors } from 'jose'
import { createLogger, serializeError } from '../../server/log/logger.ts'

const SECRET = 'correct-horse-battery-staple'
const JWS = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl'
const JWE = 'eyJhbGciOiJFQ0RILUVTIn0..aXZpdml2aXZpdg.Y2lwaGVydGV4dA.dGFndGFndGFn'
const PEM = `-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----`

/** What is written when `write` logs. */
function logged(write: (logger: ReturnType<typeof createLogger>) => void, level = 'trace') {
  const lines: string[] = []
  write(createLogger(level, { write: (line) => void lines.push(line) }))
  return lines
}

test('a line is one JSON object, with the level as a word and the time in UTC', () => {
  const lines = logged((logger) => {
    logger.child({ request_id: 'r1' }).info({ status: 200 }, 'two\nlines')
  })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^\{.*\}\n$/)
  expect(JSON.parse(lines[0]!)).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    request_id: 'r1',
    status: 200,
    msg: 'two\nlines',
  })
})

test('a line below the level is not written', () => {
  const lines = logged((logger) => {
    logger.debug('no')
    logger.info('no')
    logger.warn('yes')
    logger.error('yes')
  }, 'warn')
  expect(lines).toHaveLength(2)
})

test('at level silent not even fatal is enabled', () => {
  expect(createLogger('silent').isLevelEnabled('fatal')).toBe(false)
})

test.each([
  'password',
  'current_password',
  'new_password',
  'passphrase',
  'token',
  'access_token',
  'refresh_token',
  'database_key',
  'authorization',
  'cookie',
  'privateKey',
  'body',
])('the member %s is never written', (name) => {
  const [line] = logged((logger) => {
    logger.info({ [name]: SECRET, headers: { [name]: SECRET, other: 'kept' } }, 'message')
  })
  expect(line).not.toContain(SECRET)
  expect(line).toContain('kept')
})

describe('an error', () => {
  test('is written with its type, code, message, stack and causes', () => {
    const cause = Object.assign(new RangeError('the disk is full'), { code: 'ENOSPC' })
    const [line] = logged((logger) => {
      logger.error({ err: new TypeError('it broke', { cause }) }, 'request failed')
    })
    expect(JSON.parse(line!).err).toEqual({
      type: 'TypeError',
      message: 'it broke',
      stack: expect.stringMatching(/it broke\n\s+at /),
      cause: {
        type: 'RangeError',
        code: 'ENOSPC',
        message: 'the disk is full',
        stack: expect.any(String),
      },
    })
  })

  test.each<[string, (error: Error) => object]>([
    ['as err', (error) => ({ err: error })],
    ['alone', (error) => error],
    ['as a cause', (error) => ({ err: new Error('outer', { cause: error }) })],
  ])('from jose, logged %s, is written without its claims', (_, wrap) => {
    const error = new errors.JWTExpired('"exp" claim failed', { sub: SECRET, exp: 1 }, 'exp')
    const [line] = logged((logger) => {
      logger.error(wrap(error))
    })
    expect(line).toContain('ERR_JWT_EXPIRED')
    expect(line).not.toContain(SECRET)
    expect(line).not.toContain('payload')
  })

  test.each([
    ['a JWS', JWS],
    ['a JWE', JWE],
    ['a truncated JWS', JWS.slice(0, -10)],
    ['one part of a JWS', JWS.slice(0, 20)],
    // Replaced in one go: with a dot required, every "eyJ" of a long text would be scanned to the end.
    ['many beginnings of a JWS', 'eyJ'.repeat(300)],
    ['a PEM', PEM],
    ['a truncated PEM', PEM.slice(0, 50)],
  ])('with %s in its message is written without it', (_, secret) => {
    const text = JSON.stringify(serializeError(new Error(`cannot read "${secret}" here`)))
    for (const part of secret.split(/[.\n]/).filter((word) => word.length > 15)) {
      expect(text).not.toContain(part)
    }
    expect(text).toContain('cannot read')
    expect(text).toContain('[secret]')
  })

  test('without a code or a stack is written, too', () => {
    const bare = Object.assign(new Error('bare'), { code: 42 })
    delete bare.stack
    expect(serializeError(bare)).toEqual({ type: 'Error', message: 'bare', stack: '' })
  })

  test.each([
    ['a string', SECRET, 'string'],
    ['an object', { password: SECRET }, 'object'],
    ['undefined', undefined, 'undefined'],
  ])('that is %s is written as its type alone', (_, thrown, type) => {
    expect(serializeError(thrown)).toEqual({ type })
  })
})
