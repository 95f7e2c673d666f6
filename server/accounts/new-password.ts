import type { Config } from '../config/config.ts'
import { HttpError } from '../http/http-error.ts'
import { passwordFault } from './password-policy.ts'

/**
 * Refuses a new password that is too weak.
 *
 * @param field The member of the body that holds it.
 * @throws HttpError 400 `invalid_request` naming the field.
 */
export function checkNewPassword(
  field: 'password' | 'new_password',
  password: string,
  email: string,
  config: Config,
): void {
  const fault = passwordFault(password, email, config)
  if (fault !== undefined) throw new HttpError('invalid_request', `${field} ${fault}.`)
}
