import { scryptAsync } from '@noble/hashes/scrypt.js'
import { base64url } from 'jose'
import { AuthError } from './errors.ts'
import type { DerivePassword } from './options.ts'

interface ScryptOptions {
  /** The server's ISSUER: the same password on another server gives something else. */
  readonly issuer: string
  /** Characters that a new password must have. The server cannot check what it does not see. */
  readonly minLength?: number
}

/** UTF-16 code units, as the server bounds both: normalization takes quadratic time for some texts. */
const MAX_PASSWORD_LENGTH = 512
const MAX_ADDRESS_LENGTH = 254

/** RFC 7914 §2: 32 MiB and three passes, as the OWASP password storage cheat sheet has it for scrypt. */
const COST = { N: 2 ** 15, r: 8, p: 3, dkLen: 32 }

/**
 * Derives what is sent in place of a password: 32 bytes of scrypt over the password (Unicode NFC, RFC 8265 §4.2)
 * and the address (NFC, lower case), base64url. The server, its logs and whoever reads the request
 * never see a password that may be in use elsewhere.
 *
 * Its limits. What is derived is as good as a password for this server: who steals it can sign in.
 * The page that derives comes from a server, and who controls that can read the password as it is
 * typed. The server can no longer refuse common or short passwords, so `minLength` is checked here.
 * It is tied to the address: with another address, a new password has to be set. And it is all
 * clients or none: one that sends the password as typed cannot sign in to the same account.
 *
 * What it makes throws AuthError: `weak_password`; `invalid_request`, as the server does, for a
 * password or an address that is too long.
 *
 * @param cost For tests. All clients of an account must derive alike.
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
    return base64url.encode(await scryptAsync(normalised, salt, cost))
  }
}
