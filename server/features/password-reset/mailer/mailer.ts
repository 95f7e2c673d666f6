export interface Message {
  readonly to: string
  readonly subject: string
  /** Plain text. */
  readonly text: string
}

/** Sends messages. Yours to replace, for example with your mail provider's API. */
export interface Mailer {
  /** Resolves when the message has been accepted for delivery; otherwise rejects. */
  send(message: Message): Promise<void>
  close(): void
}
