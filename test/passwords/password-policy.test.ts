import { expect, test } from '@jest/globals'
import { passwordFault } from '../../server/passwords/password-policy.ts'

const EMAIL = 'Ada.Lovelace@mail.test'
const ISSUER = 'https://accounts.looking-glass.test'
const fault = (password: string, passwordMinLength = 8, email = EMAIL) =>
  passwordFault(password, email, { passwordMinLength, publicUrl: ISSUER })

test.each([
  ['eight characters', 'x7Kq-9fL'],
  ['eight emoji', '🦊🐻🐼🐨🐯🦁🐮🐷'],
  ['128 characters', 'xy'.repeat(64)],
  ['128 emoji', '🦊🐻'.repeat(64)],
  ['one word and no digit', 'floccinaucinihilipilification'],
  ['spaces at both ends', '  battery staple  '],
  ['nothing but spaces and tabs', ' \t'.repeat(5)],
  ['two characters repeated', 'xxxxxxxy'],
  ['two characters repeated often', 'xy'.repeat(9)],
  ['five letters repeated', 'qzvkfqzvkf'],
  ['a row of letters, and another letter', 'abcdefghx'],
  ['control characters', 'tab\there\u0000'],
  ['more than the name in the address', 'ada.lovelace, 1815'],
  ['more than the name of the service', 'through the looking glass'],
  ['punctuation alone', '.,.,.,.,'],
])('accepts %s', (_, password) => {
  expect(fault(password)).toBeUndefined()
})

test.each([
  ['seven characters', 'x7Kq-9f', /at least 8/],
  ['seven emoji', '🦊🐻🐼🐨🐯🦁🐮', /at least 8/],
  ['four letters, each in two code points', 'e\u0301a\u0301i\u0301o\u0301', /at least 8/],
  ['an empty password', '', /at least 8/],
  ['129 characters', 'x'.repeat(129), /at most 128/],
  ['129 emoji', '🦊'.repeat(129), /at most 128/],
  ['a common password', 'password', /common/],
  ['a common password in another case', 'PassWord123', /common/],
  ['digits in a row', '23456789', /common/],
  ['digits in a row, from 0', '0123456789', /common/],
  ['digits in a row, backwards', '0987654321', /common/],
  ['letters in a row', 'DEFGHIJK', /common/],
  ['a row of the keyboard, backwards', 'poiuytrewq', /common/],
  ['digits in a row, over and over', '1234567890123', /common/],
  ['digits repeated', '123123123', /common/],
  ['five digits in a row, repeated', '1234512345', /common/],
  ['a common password, repeated', 'dragondragon', /common/],
  ['two digits repeated, and one of them', '121212121', /common/],
  ['four letters repeated', 'ivexIVEXivexivex', /common/],
  ['one letter in both cases', 'xXxXxXxX', /common/],
  ['one letter', 'xxxxxxxx', /repeated/],
  ['one letter, 128 times', 'x'.repeat(128), /repeated/],
  ['one emoji', '🦊'.repeat(8), /repeated/],
  ['one letter in two code points', 'e\u0301'.repeat(8), /repeated/],
  ['nothing but spaces', ' '.repeat(9), /repeated/],
  ['the name in the address', 'ada.lovelace', /name in the e-mail/],
  ['the name in the address, in capitals and spaced', 'Ada  Lovelace!', /name in the e-mail/],
  ['the name of the service', 'jwe-auth-server', /name of the service/],
  [
    'the name of the service in another case and in one word',
    'JweAuthServer',
    /name of the service/,
  ],
  ["the service's host", 'accounts.looking-glass.test', /name of the service/],
  ["the service's domain", 'Looking Glass Test', /name of the service/],
  ["a label of the service's host", 'lookingglass', /name of the service/],
  ['the address', 'ada.lovelace@mail.test', /address/],
  ['the address in capitals, and more', 'my ADA.LOVELACE@MAIL.TEST!', /address/],
])('refuses %s', (_, password, reason) => {
  expect(fault(password)).toMatch(reason)
})

test('the minimum length is configurable', () => {
  expect(fault('fourteen chars', 15)).toMatch(/at least 15/)
  expect(fault('fifteen chars..', 15)).toBeUndefined()
})

test('an address without a letter before the @ rules out no password', () => {
  expect(fault('!?!?!?!?', 8, '+-@mail.test')).toBeUndefined()
})

test('no refusal quotes the password', () => {
  for (const password of [
    'short',
    'password123',
    'xxxxxxxx',
    'lookingglass',
    'ada.lovelace',
    EMAIL,
  ]) {
    expect(fault(password)).not.toContain(password)
  }
})
