import { scryptAsync } from '@noble/hashes/scrypt.js'
import { encodeBase64url } from './bytes.ts'
import { AuthError } from './errors.ts'
import type { DerivePassword } from './options.ts'

interface ScryptOptions {
  /** The server's ISSUER, so that the same password gives a different secret on another server. */
  readonly issuer: string
  /** Minimum characters of a new password. The server cannot check a password that it does not see. */
  readonly minLength?: number
}

/** UTF-16 code units, as on the server. Normalization takes quadratic time for some texts. */
const MAX_PASSWORD_LENGTH = 512
const MAX_ADDRESS_LENGTH = 254

/** RFC 7914 §2: 32 MiB, parallelization 3, as the OWASP password storage cheat sheet recommends. */
const COST = { N: 2 ** 15, r: 8, p: 3, dkLen: 32 }

/**
 * Derives a secret to send instead of the password, so that neither the server nor its logs see a
 * password that may be in use elsewhere. The secret is 32 bytes of scrypt, base64url, over the
 * password (Unicode NFC, RFC 8265 §4.2) and the address (NFC, lower case).
 *
 * Limits:
 * - For this server, the secret is as good as a password: whoever steals it can sign in.
 * - Whoever controls the server of the page can still read the password as it is typed.
 * - The server can no longer refuse common or short passwords, so `minLength` is checked here.
 * - The secret depends on the address: after a change of address, the password must be set again.
 * - Every client of an account must use it: a client that sends the typed password cannot sign in.
 *
 * The returned function throws AuthError `weak_password`, or `invalid_request` (as the server does) if
 * the password or the address is too long.
 *
 * @param cost For tests. All clients of an account must use the same cost.
 * @example
 * const derivePassword = scryptPassword({ issuer: 'https://auth.example.com' })
 * const auth = new AuthClient({ server, store, derivePassword })
 */
export function scryptPassword(
  { issuer, minLength = 8 }: ScryptOptions,
  cost = COST,
): DerivePassword {
  return async function derivePassword(password, address, isNew) {
    if (password.length > MAX_PASSWORD_LENGTH) {
      throw new AuthError('invalid_request', 'The password is too long.')
    }
    if (address.length > MAX_ADDRESS_LENGTH) {
      throw new AuthError('invalid_request', 'The e-mail address is too long.')
    }
    const normalised = password.normalize('NFC')
    if (isNew && Array.from(normalised).length < minLength) {
      throw new AuthError(
        'weak_password',
        `The password must have at least ${minLength} characters.`,
      )
    }
    const salt = `jwe-auth-server password 1\n${issuer}\n${address.normalize('NFC').toLowerCase()}`
    return encodeBase64url(await scryptAsync(normalised, salt, cost))
  }
}
