import { expect, test } from '@jest/globals'
import type { Account } from '../../../../server/database/schema.ts'
import { resetMessage } from '../../../../server/features/password-reset/mailer/reset-message.ts'

const ACCOUNT = {
  id: 'account-1',
  email: 'Ada@Mail.test',
  email_key: 'ada@mail.test',
  name: 'Ada\r\nBcc: eve@mail.test',
  password_hash: '$argon2id$secret',
  email_verified_at: null,
  scope: 'user',
  version: 0,
  created_at: 0,
} as Account

test("the message goes to the account's address, with the token on its own line", () => {
  const { to, subject, text } = resetMessage(ACCOUNT, 'the.token', 900)
  expect(to).toBe('Ada@Mail.test')
  expect(subject).not.toContain('the.token')
  expect(text.split('\n').filter((line) => line.includes('the.token'))).toEqual(['the.token'])
  expect(text).toContain('15 minutes')
})

test('the message contains nothing else of the account', () => {
  const message = JSON.stringify(resetMessage(ACCOUNT, 'the.token', 900))
  for (const secret of [ACCOUNT.password_hash, ACCOUNT.id, 'eve@mail.test']) {
    expect(message).not.toContain(secret)
  }
})
