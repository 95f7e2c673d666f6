import { dictionary } from '@zxcvbn-ts/language-common'
import type { Config } from '../config/config.ts'
import { RefusedError } from '../errors/refused-error.ts'
import { normalisePassword } from './password-hash.ts'

const MAX_CHARACTERS = 128

/**
 * Most common first. Beyond these, attackers have better lists than ours. Runs of adjacent characters, and
 * repetitions, are not in the list: zxcvbn finds them in another way.
 */
const COMMON_PASSWORDS: ReadonlySet<string> = new Set(
  dictionary['passwords-common'].slice(0, 20_000).map((password) => password.toLowerCase()),
)

/** Runs of them are common passwords, forwards and backwards. */
const ROWS = ['0123456789'.repeat(2), 'abcdefghijklmnopqrstuvwxyz', 'qwertyuiopasdfghjklzxcvbnm']
/** The most characters of the repetitions that people choose. */
const LONGEST_REPETITION = 16
/** Up to this many letters or digits make a common password when they are repeated, whatever they are. */
const LONGEST_UNIT = 4

/** Yours to replace: what people call the service. The host name in ISSUER counts as its name too. */
const SERVICE_NAME = 'jwe-auth-server'

type Policy = Pick<Config, 'passwordMinLength' | 'publicUrl'>

/**
 * Refuses a new password that is too weak.
 *
 * @param field The member of the body that contains it.
 * @throws RefusedError `weak_password`; RangeError for more than `MAX_PASSWORD_CODE_UNITS`.
 */
export function checkNewPassword(
  field: 'password' | 'new_password',
  password: string,
  email: string,
  policy: Policy,
): void {
  const fault = passwordFault(password, email, policy)
  if (fault !== undefined) throw new RefusedError('weak_password', `${field} ${fault}.`)
}

/**
 * What is wrong with a new password, in words that complete the sentence "the password …", or
 * `undefined`. There are no composition rules (NIST SP 800-63B-4 §3.1.1.2): a password only has to
 * be long enough and hard to guess.
 *
 * @throws RangeError for a password of more than `MAX_PASSWORD_CODE_UNITS`.
 */
export function passwordFault(
  password: string,
  email: string,
  { passwordMinLength, publicUrl }: Policy,
): string | undefined {
  const characters = Array.from(normalisePassword(password))
  const { length } = characters
  if (length < passwordMinLength) return `must have at least ${passwordMinLength} characters`
  if (length > MAX_CHARACTERS) return `must have at most ${MAX_CHARACTERS} characters`
  if (new Set(characters).size === 1) return 'must not be one character repeated'
  const lower = password.toLowerCase()
  if (isListed(lower) || isRepetition(lower)) return 'is one of the most common ones'
  if (caseless(password).includes(caseless(email))) return 'must not contain the e-mail address'
  const isName = (name: string) => wordOf(password) !== '' && wordOf(password) === wordOf(name)
  if (isName(email.replace(/@.*$/s, ''))) return 'must not be the name in the e-mail address'
  if (serviceNames(publicUrl).some(isName)) return 'must not be the name of the service'
  return undefined
}

function isListed(lower: string): boolean {
  const backwards = Array.from(lower).reverse().join('')
  return (
    COMMON_PASSWORDS.has(lower) ||
    ROWS.some((row) => row.includes(lower) || row.includes(backwards))
  )
}

/** Such as 123123123 or qwertyqwerty, perhaps with a part of the unit at the end. */
function isRepetition(lower: string): boolean {
  if (lower.length > LONGEST_REPETITION || !/^[a-z\d]+$/.test(lower)) return false
  const lengths = Array.from({ length: Math.floor(lower.length / 2) }, (_, index) => index + 1)
  return lengths
    .map((length) => lower.slice(0, length))
    .filter((unit) => unit.repeat(LONGEST_REPETITION).startsWith(lower))
    .some((unit) => unit.length <= LONGEST_UNIT || isListed(unit))
}

/** Of https://auth.example.com: auth.example.com, example.com, com, auth and example. */
function serviceNames(publicUrl: string): string[] {
  const labels = new URL(publicUrl).hostname.split('.')
  const domains = labels.map((_, index) => labels.slice(index).join('.'))
  return [SERVICE_NAME, ...domains, ...labels]
}

/** Texts that differ only in case, or in how Unicode composes an accent, are the same. */
const caseless = (text: string): string => text.normalize('NFC').toLowerCase()

/** Only letters and digits, because "Ada Lovelace" is no better than "ada.lovelace". */
const wordOf = (text: string): string => caseless(text).replace(/[^\p{L}\p{N}]+/gu, '')
