import { describe, expect, test } from '@jest/globals'
import { loadConfig } from '../../../server/config/config.ts'
import { StartupError } from '../../../server/errors/startup-error.ts'
import { passwordReset } from '../../../server/features/password-reset/index.ts'

const load = (env: NodeJS.ProcessEnv = {}) =>
  loadConfig([passwordReset], env, '/nonexistent/.env').featureVariables

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    load(env)
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError)
    return (error as StartupError).problems
  }
  return []
}

test('the defaults are twenty requests an hour and no mail server', () => {
  const defaults = { RATE_LIMIT_RESET: { count: 20, duration: 3600 } }
  const none = { SMTP_URL: undefined, MAIL_FROM: undefined }
  expect(load()).toEqual({ ...defaults, ...none })
  expect(load({ SMTP_URL: '', MAIL_FROM: '' })).toEqual({ ...defaults, ...none })
})

test.each([
  ['7/2h', { count: 7, duration: 7200 }],
  ['off', 'off'],
])('RATE_LIMIT_RESET=%s is accepted', (value, limit) => {
  expect(load({ RATE_LIMIT_RESET: value })).toMatchObject({ RATE_LIMIT_RESET: limit })
})

test.each(['10', '10/', '/1m', '0/1m', '10/2d', 'OFF', '-1/1m'])(
  'RATE_LIMIT_RESET=%s is refused with an example',
  (value) => {
    expect(problemsOf({ RATE_LIMIT_RESET: value })).toEqual([
      expect.stringMatching(/^RATE_LIMIT_RESET .*off, or a count and a duration.*10\/1m/),
    ])
  },
)

test.each([
  ['smtp://localhost:2525', 'auth@mail.test'],
  ['smtps://user:p%40ss@mail.test', 'Äuth <auth@mail.test>'],
])('SMTP_URL=%s with MAIL_FROM=%s is accepted', (url, from) => {
  const env = { SMTP_URL: url, MAIL_FROM: from }
  expect(load(env)).toMatchObject(env)
})

describe('invalid mail settings are refused:', () => {
  test.each([
    ['SMTP_URL', 'http://mail.test', /smtp:\/\/ or smtps:\/\/ URL/],
    ['SMTP_URL', 'mail.test:25', /smtp:\/\/ or smtps:\/\/ URL/],
    ['SMTP_URL', 'smtp://mail.test:99999', /smtp:\/\/ or smtps:\/\/ URL/],
    ['SMTP_URL', 'smtp://mail test', /smtp:\/\/ or smtps:\/\/ URL/],
    ['SMTP_URL', 'smtp://', /smtp:\/\/ or smtps:\/\/ URL/],
    ['MAIL_FROM', 'a@mail.test\r\nBcc: b@mail.test', /one line/],
    ['MAIL_FROM', 'a@mail.test\n', /one line/],
  ])('%s=%j', (name, value, accepted) => {
    const good = { SMTP_URL: 'smtp://mail.test', MAIL_FROM: 'a@mail.test' }
    const problems = problemsOf({ ...good, [name]: value })
    expect(problems[0]).toMatch(accepted)
    expect(problems[0]).toMatch(new RegExp(`^${name} .*\\.$`))
    // The other variable is set, so there is no second problem.
    expect(problems).toHaveLength(1)
  })

  test.each([{ SMTP_URL: 'smtp://mail.test' }, { MAIL_FROM: 'auth@mail.test' }])(
    'only one of the two: %j',
    (env) => {
      for (const empty of [{}, { SMTP_URL: '' }, { MAIL_FROM: '' }]) {
        expect(problemsOf({ ...empty, ...env })).toEqual([
          expect.stringMatching(/^SMTP_URL and MAIL_FROM belong together/),
        ])
      }
    },
  )
})
