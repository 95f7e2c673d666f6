import { MAX_EMAIL_LENGTH } from '../../protocol/limits.ts'

/** RFC 5321 §4.5.3.1.1. The 255 of a domain (§4.5.3.1.2) are more than the rest leaves. */
const MAX_LOCAL_PART_LENGTH = 64

/** `Dot-string` of RFC 5321 §4.1.2. The quoted form is not taken: hardly anybody has such an address. */
const LOCAL_PART = /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/
/** Letters, digits and hyphens, no hyphen at either end, at most 63 of them (RFC 1123 §2.1, RFC 1035 §2.3.4). */
const LABEL = /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i
const DIGITS = /^\d+$/

/**
 * Whether mail can be sent to an address by its form: of RFC 5321, in ASCII, at a domain name of at
 * least two labels. A domain in another script is written in its `xn--` form (RFC 5891).
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
    // An IP address is no domain (RFC 3696 §2).
    !DIGITS.test(domain.slice(domain.lastIndexOf('.') + 1))
  )
}

/**
 * The form in which addresses are compared: two that differ only in case, or in how Unicode
 * composes an accent, are one account (the lookalikes of RFC 8264 are left to the mail system).
 */
export function emailKey(email: string): string {
  return email.normalize('NFC').toLowerCase()
}
