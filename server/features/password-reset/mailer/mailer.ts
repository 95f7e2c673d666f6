export interface Message {
  readonly to: string
  readonly subject: string
  /** Plain text. */
  readonly text: string
}

/** Sends messages. Yours to replace: your mail provider's API. */
export interface Mailer {
  /** Resolves when the message has been handed on; rejects when it has not. */
  send(message: Message): Promise<void>
  close(): void
}
