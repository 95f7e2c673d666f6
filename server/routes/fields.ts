/** The fields that bodies are made of. Messages finish the sentence "<field> …". */
import { z } from 'zod'

const WELL_FORMED = 'must be well-formed Unicode'

/** Any text, as long as it can be encoded: a lone surrogate would be stored as something else. */
export const text = z
  .string('must be a string')
  .refine((value) => value.isWellFormed(), WELL_FORMED)

/** One line for people to read, of 1 to `max` characters and no control characters. */
export const line = (max: number) =>
  text
    .min(1, 'must not be empty')
    .refine((value) => Array.from(value).length <= max, `must have at most ${max} characters`)
    .regex(/^\P{Cc}*$/u, 'must not hold control characters')

/** RFC 5321 §4.5.3.1.3 leaves 254 characters. */
export const email = text.max(254, 'is too long').pipe(z.email('must be an e-mail address'))
