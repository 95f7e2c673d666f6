import { dictionary } from '@zxcvbn-ts/language-common'
import { normalisePassword } from './password-hash.ts'
import { emailKey } from './email.ts'

const MAX_CHARACTERS = 128

/** Most common first; beyond these, a guesser has better lists than ours. */
const COMMON_PASSWORDS: ReadonlySet<string> = new Set(
  dictionary['passwords-common'].slice(0, 20_000).map((password) => password.toLowerCase()),
)

/**
 * What is wrong with a new password, in words that finish the sentence "the password …", or
 * `undefined`. No composition rules (NIST SP 800-63B-4 §3.1.1.2): length, and not to be guessed.
 *
 * @param minLength Unicode code points.
 */
export function passwordFault(
  password: string,
  email: string,
  minLength: number,
): string | undefined {
  const { length } = Array.from(normalisePassword(password))
  if (length < minLength) return `must have at least ${minLength} characters`
  if (length > MAX_CHARACTERS) return `must have at most ${MAX_CHARACTERS} characters`
  if (COMMON_PASSWORDS.has(password.toLowerCase())) return 'is one of the most common ones'
  if (emailKey(password).includes(emailKey(email))) return 'must not contain the e-mail address'
  return undefined
}
