import { describe, expect, test } from '@jest/globals'
import { emailKey, isEmailAddress } from '../../server/accounts/email.ts'

const LABEL_63 = 'x'.repeat(63)
/** 189 characters, so that 64 before the @ make the longest address. */
const DOMAIN_189 = `${LABEL_63}.${LABEL_63}.${'x'.repeat(61)}`

describe('an e-mail address', () => {
  test.each([
    'ada@mail.test',
    'Ada.Lovelace+notes@Mail.Test',
    'a@b.co',
    "o'hara@mail.test",
    '_ada-@mail.test',
    "!#$%&'*+-/=?^_`{|}~@mail.test",
    '1@1.2.test',
    'ada@3com.test',
    'ada@a-b--c.test',
    'ada@xn--bcher-kva.xn--p1ai',
    `${'x'.repeat(64)}@mail.test`,
    `ada@${LABEL_63}.test`,
    `${'x'.repeat(64)}@${DOMAIN_189}`,
  ])('%s is accepted', (address) => {
    expect(isEmailAddress(address)).toBe(true)
  })

  test.each([
    ['an empty string', ''],
    ['no @', 'ada'],
    ['nothing before the @', '@mail.test'],
    ['nothing after the @', 'ada@'],
    ['two @', 'ada@b@mail.test'],
    ['a domain of one label', 'ada@localhost'],
    ['a local part of 65 characters', `${'x'.repeat(65)}@mail.test`],
    ['255 characters', `${'x'.repeat(64)}@${DOMAIN_189}x`],
    ['a label of 64 characters', `ada@${LABEL_63}x.test`],
    ['a label that begins with a hyphen', 'ada@-mail.test'],
    ['a label that ends with a hyphen', 'ada@mail-.test'],
    ['a top-level domain that ends with a hyphen', 'ada@mail.test-'],
    ['an underscore in the domain', 'ada@my_mail.test'],
    ['an empty label', 'ada@mail..test'],
    ['a dot at the end', 'ada@mail.test.'],
    ['an IP address', 'ada@192.0.2.1'],
    ['an address literal', 'ada@[192.0.2.1]'],
    ['a domain in another script', 'ada@bücher.test'],
    ['a dot at the start', '.ada@mail.test'],
    ['a dot before the @', 'ada.@mail.test'],
    ['two dots in a row', 'ada..b@mail.test'],
    ['a letter with an accent', 'zoë@mail.test'],
    ['a quoted local part', '"ada b"@mail.test'],
    ['a space', 'ada b@mail.test'],
    ['a space at the end', 'ada@mail.test '],
    ['a line feed at the end', 'ada@mail.test\n'],
    ['an injected header', 'ada@mail.test\r\nBcc: b@mail.test'],
    ['a display name', 'Ada <ada@mail.test>'],
    ['two addresses', 'ada@mail.test,b@mail.test'],
    ['a source route', '@a.test:ada@mail.test'],
    ['a digit outside ASCII', 'ada@mail\u0661.test'],
    ['a letter whose lower case is ASCII', 'ada@mail.\u212atest'],
  ])('is refused: %s', (_, address) => {
    expect(isEmailAddress(address)).toBe(false)
  })

  test('is compared regardless of case and of how accents are composed', () => {
    expect(emailKey('ADA@Mail.Test')).toBe('ada@mail.test')
    expect(emailKey('JOSE\u0301@mail.test')).toBe(emailKey('jos\u00e9@mail.test'))
    expect(emailKey('ada@mail.test')).not.toBe(emailKey('ad.a@mail.test'))
  })
})
