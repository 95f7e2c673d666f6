import { HttpError } from '../errors.ts'
import type { Lockout } from '../limits/lockout.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import type { Session } from '../sessions/sessions.ts'
import type { PasswordHasher } from './password-hash.ts'

/**
 * Asks for the password of somebody who is signed in, before what cannot be undone.
 *
 * @throws HttpError 400 `invalid_grant` for a wrong one; 429 after too many: a stolen token must not
 *   become a way to guess.
 */
export type ConfirmPassword = (session: Session, password: string) => Promise<void>

export function createConfirmPassword(
  passwords: PasswordHasher,
  rateLimits: RateLimits,
  lockout: Lockout | undefined,
): ConfirmPassword {
  return async function confirmPassword({ id, account }, password) {
    const key = `session:${id}`
    await lockout?.attempt(key)
    await rateLimits.consume('login', 'account', key)
    if (!(await passwords.verify(account.password_hash, password))) {
      throw new HttpError('invalid_grant', 'The password is wrong.')
    }
    await lockout?.clear(key)
  }
}
