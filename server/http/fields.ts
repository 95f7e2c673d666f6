/** Schemas for the fields of a body. Their messages complete the sentence "<field> …". */
import { z } from 'zod'

const isWellFormed = (value: string): boolean => value.isWellFormed()
/** A lone surrogate cannot be encoded as UTF-8, so it would be stored as another character. */
const WELL_FORMED = 'must be well-formed Unicode'

/**
 * Any text of at most `max` UTF-16 code units. If it is too long, nothing else is checked, because
 * later checks may be expensive.
 */
export const text = (max: number, tooLong = 'is too long') =>
  z
    .string('must be a string')
    .max(max, { error: tooLong, abort: true })
    .refine(isWellFormed, WELL_FORMED)

/**
 * A token or an id, limited only by the size of the body. An invalid one is refused when it is
 * looked up, because for some tokens that must not be a 400 (RFC 7009 §2.2).
 */
export const opaque = z.string('must be a string').refine(isWellFormed, WELL_FORMED)

/** Control characters, line and paragraph separators, and bidirectional controls (UAX #9). */
const DISRUPTIVE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u
/**
 * A visible character: not white space, a combining mark, a default-ignorable code point (Unicode
 * §5.21) or the blank Braille pattern. A text may also contain joiners, as some scripts and emoji
 * do.
 */
const VISIBLE = /[^\p{White_Space}\p{M}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u

/** One line of text for people, of 1 to `max` characters, at least one of them visible. */
export const line = (max: number) => {
  const tooLong = `must have at most ${max} characters`
  // A character is at most two code units.
  return text(2 * max, tooLong)
    .min(1, 'must not be empty')
    .refine((value) => Array.from(value).length <= max, tooLong)
    .refine((value) => !DISRUPTIVE.test(value), 'must not contain control characters')
    .refine((value) => VISIBLE.test(value), 'must contain a visible character')
    .meta({ maxLength: max })
}
