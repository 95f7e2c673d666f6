import { z } from 'zod'
import { rateLimit } from '../../config/parsers.ts'

/** The value of a mail header. A line break could start another header. */
const line = z.string().regex(/^\P{Cc}+$/u, 'must be one line, such as Auth <auth@example.com>')

export const variables = {
  // Limits each address, and each pair of address and account.
  RATE_LIMIT_RESET: rateLimit.default({ count: 20, duration: 3600 }),
  // Without it, messages are written to a folder, for development.
  SMTP_URL: z
    .string()
    .refine(
      (url) => /^smtps?:\/\/[^/]+/.test(url) && URL.canParse(url),
      'must be an smtp:// or smtps:// URL, such as smtps://user:password@mail.example.com',
    )
    .optional(),
  MAIL_FROM: line.optional(),
}

export function contradictions(isSet: (name: keyof typeof variables) => boolean): string[] {
  if (isSet('SMTP_URL') === isSet('MAIL_FROM')) return []
  return [
    'SMTP_URL and MAIL_FROM belong together: set both to send mail, or neither to write it to data/mail.',
  ]
}
