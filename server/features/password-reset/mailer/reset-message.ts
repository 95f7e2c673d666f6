import type { Account } from '../../../database/schema.ts'
import type { Message } from './mailer.ts'

/**
 * The message that carries a reset token. Yours to replace: a link into your app instead of the
 * bare token (in the fragment, which browsers keep to themselves), your words, your languages.
 *
 * @param lifetime Seconds.
 */
export function resetMessage(account: Account, token: string, lifetime: number): Message {
  return {
    to: account.email,
    subject: 'Reset your password',
    text: [
      'Somebody asked to reset the password of your account. If it was not you, ignore this message.',
      `To choose a new password, use this code within ${Math.round(lifetime / 60)} minutes. It works once:`,
      token,
    ].join('\n\n'),
  }
}
