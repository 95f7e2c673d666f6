import { describe, expect, test } from '@jest/globals'
import { line } from '../../server/http/fields.ts'

const name = line(20)
const faultOf = (value: string) => name.safeParse(value).error?.issues[0]?.message

describe('a name', () => {
  test.each([
    ['20 letters', 'x'.repeat(20)],
    ['20 emoji', '🦊'.repeat(20)],
    ['one letter', 'x'],
    ['one digit', '7'],
    ['a symbol', '∞'],
    ['letters between spaces', ' Ada '],
    ['right-to-left letters', 'עדה לאבלייס'],
    ['a zero-width non-joiner, which Persian needs', 'علی\u200cرضا'],
    ['a zero-width joiner, which Sinhala needs', 'ශ්\u200dරී'],
    ['an emoji joined from three', '👩\u200d👩\u200d👧'],
    ['a variation selector', '❤\ufe0f'],
    ['a flag made of tags', '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}'],
    ['letters and marks', 'Zoe\u0308'],
    ['vowel signs', 'हिन्दी'],
    ['a private-use character', '\ue000'],
    ['a character that Unicode has not assigned yet', '\u{1fadf}'],
  ])('of %s is accepted', (_, value) => {
    expect(faultOf(value)).toBeUndefined()
  })

  test.each([
    ['a line feed', 'a\nb'],
    ['a tab', 'a\tb'],
    ['a NUL', 'a\u0000'],
    ['a delete', 'a\u007f'],
    ['a C1 control', 'a\u0085b'],
    ['a line separator', 'a\u2028b'],
    ['a paragraph separator', 'a\u2029b'],
    ['an Arabic letter mark', 'a\u061cb'],
    ['a left-to-right mark', 'a\u200eb'],
    ['a right-to-left mark', 'a\u200fb'],
    ['an embedding', 'a\u202ab'],
    ['a right-to-left embedding', 'a\u202bb'],
    ['the end of an embedding', 'a\u202cb'],
    ['an override', 'a\u202db'],
    ['a right-to-left override', 'nimda\u202e'],
    ['an isolate', 'a\u2066b'],
    ['a right-to-left isolate', 'a\u2067b'],
    ['a first-strong isolate', 'a\u2068b'],
    ['the end of an isolate', 'a\u2069b'],
  ])('with %s is refused', (_, value) => {
    expect(faultOf(value)).toBe('must not contain control characters')
  })

  test.each([
    ['a space', ' '],
    ['wide spaces', '\u3000\u2003\u00a0'],
    ['a zero-width space', '\u200b'],
    ['joiners', '\u200d\u200c'],
    ['a word joiner and a byte order mark', '\u2060\ufeff'],
    ['a soft hyphen', '\u00ad'],
    ['Hangul fillers', '\u3164\u115f\u1160\uffa0'],
    ['a Mongolian vowel separator', '\u180e'],
    ['variation selectors', '\ufe0f\u{e0100}'],
    ['tags', '\u{e0067}\u{e0062}'],
    ['a mark without a letter', '\u0301'],
    ['the blank Braille pattern', '\u2800'],
  ])('of %s alone is refused', (_, value) => {
    expect(faultOf(value)).toBe('must contain a visible character')
  })

  test.each([
    ['21 letters', 'x'.repeat(21)],
    ['21 emoji', '🦊'.repeat(21)],
    ['41 letters', 'x'.repeat(41)],
  ])('of %s is refused', (_, value) => {
    expect(faultOf(value)).toBe('must have at most 20 characters')
  })

  test('that is empty is refused', () => {
    expect(faultOf('')).toBe('must not be empty')
  })
})
