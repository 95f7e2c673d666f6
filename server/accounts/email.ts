/**
 * The form in which addresses are compared: two that differ only in case, or in how Unicode
 * composes an accent, are one account (the lookalikes of RFC 8264 are left to the mail system).
 */
export function emailKey(email: string): string {
  return email.normalize('NFC').toLowerCase()
}
