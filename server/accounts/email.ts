import { MAX_EMAIL_LENGTH } from '../../protocol/limits.ts'

/** RFC 5321 §4.5.3.1.1. The limit of 255 for a domain (§4.5.3.1.2) is never reached. */
const MAX_LOCAL_PART_LENGTH = 64

/**
 * `Dot-string` of RFC 5321 §4.1.2. The quoted form is refused, because hardly anybody has such an
 * address.
 */
const LOCAL_PART = /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/
/** Letters, digits and hyphens, no hyphen at either end, at most 63 of them (RFC 1123 §2.1, RFC 1035 §2.3.4). */
const LABEL = /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i
const DIGITS = /^\d+$/

/**
 * Whether an address has a form to which mail can be sent: that of RFC 5321, in ASCII, with a
 * domain of at least two labels. A domain in another script is written in its `xn--` form (RFC
 * 5891).
 */
export function isEmailAddress(address: string): boolean {
  if (address.length > MAX_EMAIL_LENGTH) return false
  const at = address.indexOf('@')
  const domain = address.slice(at + 1)
  const labels = domain.split('.')
  return (
    at > 0 &&
    at <= MAX_LOCAL_PART_LENGTH &&
    LOCAL_PART.test(address.slice(0, at)) &&
    labels.length > 1 &&
    labels.every((label) => LABEL.test(label)) &&
    // An IP address is not a domain (RFC 3696 §2).
    !DIGITS.test(domain.slice(domain.lastIndexOf('.') + 1))
  )
}

/**
 * The form in which addresses are compared. Addresses that differ only in case, or in how Unicode
 * composes an accent, are one account. The mail system has to deal with lookalikes (RFC 8264).
 */
export function emailKey(email: string): string {
  return email.normalize('NFC').toLowerCase()
}
