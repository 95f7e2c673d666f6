import type { RateLimits } from '../limits/rate-limits.ts'
import type { WrongPasswords } from '../limits/wrong-passwords.ts'
import type { Session } from '../sessions/sessions.ts'
import { knownClientKey } from '../sessions/known-clients.ts'
import type { PasswordHasher } from './password-hash.ts'
import { WrongPassword } from './wrong-password.ts'

/**
 * Asks for the password of somebody who is signed in, before what cannot be undone. A wrong one
 * counts as at a sign-in with the client of the session: a stolen token must not become a way to
 * guess.
 *
 * @throws WrongPassword; TooManyTries; UnavailableError.
 */
export type ConfirmPassword = (
  session: Pick<Session, 'clientId' | 'account'>,
  password: string,
) => Promise<void>

export function createConfirmPassword(
  passwords: PasswordHasher,
  rateLimits: RateLimits<'login'>,
  wrongPasswords: WrongPasswords,
): ConfirmPassword {
  return async function confirmPassword({ clientId, account }, password) {
    const email = account.email_key
    await rateLimits.consume('login', 'account', knownClientKey(email, clientId))
    const guesser = { account: email, source: { knownClient: clientId } }
    const isRight = await wrongPasswords.check(guesser, () =>
      passwords.verify(account.password_hash, password),
    )
    if (!isRight) throw new WrongPassword()
  }
}
