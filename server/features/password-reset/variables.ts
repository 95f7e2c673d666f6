import { z } from 'zod'
import { rateLimit } from '../../config/parsers.ts'

/** A header's value: nothing that could begin another header. */
const line = z.string().regex(/^\P{Cc}+$/u, 'must be one line, such as Auth <auth@example.com>')

export const variables = {
  // For one address, and for one address and account.
  RATE_LIMIT_RESET: rateLimit.default({ count: 20, duration: 3600 }),
  // None: messages are written to a folder, for development.
  SMTP_URL: z
    .string()
    .regex(
      /^smtps?:\/\/[^/]+/,
      'must be an smtp:// or smtps:// URL, such as smtps://user:password@mail.example.com',
    )
    .optional(),
  MAIL_FROM: line.optional(),
}

export function contradictions(isSet: (name: keyof typeof variables) => boolean): string[] {
  if (isSet('SMTP_URL') === isSet('MAIL_FROM')) return []
  return [
    'SMTP_URL and MAIL_FROM belong together: set both to send mail, or neither to have it written to data/mail.',
  ]
}
