import { expect, test } from '@jest/globals'
import { passwordFault } from '../../server/accounts/password-policy.ts'

const EMAIL = 'Ada.Lovelace@mail.test'
const fault = (password: string, minLength = 8) => passwordFault(password, EMAIL, minLength)

test.each([
  ['eight characters', 'x7Kq-9fL'],
  ['eight emoji', '🦊🐻🐼🐨🐯🦁🐮🐷'],
  ['128 characters', 'xy'.repeat(64)],
  ['128 emoji', '🦊'.repeat(128)],
  ['one word and no digit', 'floccinaucinihilipilification'],
  ['spaces around it', '  battery staple  '],
  ['nothing but spaces', ' '.repeat(9)],
  ['control characters', 'tab\there\u0000'],
  ['the name in the address', 'ada.lovelace, 1815'],
])('a password of %s is taken', (_, password) => {
  expect(fault(password)).toBeUndefined()
})

test.each([
  ['seven characters', 'x7Kq-9f', /at least 8/],
  ['seven emoji', '🦊🐻🐼🐨🐯🦁🐮', /at least 8/],
  ['four letters, each in two code points', 'e\u0301a\u0301i\u0301o\u0301', /at least 8/],
  ['nothing', '', /at least 8/],
  ['129 characters', 'x'.repeat(129), /at most 128/],
  ['129 emoji', '🦊'.repeat(129), /at most 128/],
  ['the most common ones', 'password', /common/],
  ['the common ones, in capitals', 'PassWord123', /common/],
  ['the address', 'ada.lovelace@mail.test', /address/],
  ['the address in capitals, and more', 'my ADA.LOVELACE@MAIL.TEST!', /address/],
])('a password of %s is refused', (_, password, reason) => {
  expect(fault(password)).toMatch(reason)
})

test('the least length is configured', () => {
  expect(fault('fourteen chars', 15)).toMatch(/at least 15/)
  expect(fault('fifteen chars..', 15)).toBeUndefined()
})

test('no refusal quotes the password', () => {
  for (const password of ['short', 'password123', EMAIL]) {
    expect(fault(password)).not.toContain(password)
  }
})
