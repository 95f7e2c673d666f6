/** The fields that bodies are made of. Messages finish the sentence "<field> …". */
import { z } from 'zod'

const isWellFormed = (value: string): boolean => value.isWellFormed()
/** A lone surrogate cannot be encoded: it would be stored as something else. */
const WELL_FORMED = 'must be well-formed Unicode'

/**
 * Any text of at most `max` UTF-16 code units. Its length is checked first, and alone: what comes
 * after it may cost more than one pass.
 */
export const text = (max: number, tooLong = 'is too long') =>
  z
    .string('must be a string')
    .max(max, { error: tooLong, abort: true })
    .refine(isWellFormed, WELL_FORMED)

/**
 * A token or an id, limited only by the size of the body. Whoever looks it up or validates it refuses
 * it, and for some tokens that must not be a 400 (RFC 7009 §2.2).
 */
export const opaque = z.string('must be a string').refine(isWellFormed, WELL_FORMED)

/** Control characters, line and paragraph separators, and what reverses the text around it (UAX #9). */
const DISRUPTIVE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u
/**
 * A visible character: not white space, a combining mark, a default-ignorable code point (Unicode
 * §5.21) or the blank Braille pattern. Joiners, which some scripts and emoji need, may occur beside it.
 */
const VISIBLE = /[^\p{White_Space}\p{M}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u

/** One line for people to read, of 1 to `max` characters, at least one of them visible. */
export const line = (max: number) => {
  const tooLong = `must have at most ${max} characters`
  // A character is at most two code units.
  return text(2 * max, tooLong)
    .min(1, 'must not be empty')
    .refine((value) => Array.from(value).length <= max, tooLong)
    .refine((value) => !DISRUPTIVE.test(value), 'must not hold control characters')
    .regex(VISIBLE, 'must hold a visible character')
}
