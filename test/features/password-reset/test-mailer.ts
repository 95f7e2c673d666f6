import type { Mailer, Message } from '../../../server/features/password-reset/mailer/mailer.ts'

/** A mailer that keeps its messages. */
export function createTestMailer(): Mailer & { readonly sent: Message[] } {
  const sent: Message[] = []
  return {
    sent,
    send(message) {
      sent.push(message)
      return Promise.resolve()
    },
    close() {
      // Nothing is held open.
    },
  }
}
