import type { Account } from '../../../database/schema.ts'
import type { Message } from './mailer.ts'

/**
 * The message with a reset token. Yours to replace with your own words and languages, or with a link
 * into your app. Put the token in the link's fragment, which browsers do not send.
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
