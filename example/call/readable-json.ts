import type { Paint, Style } from '../terminal.ts'

/** Control codes, line separators and changes of direction: a terminal obeys them. */
// eslint-disable-next-line no-control-regex -- that is what a terminal obeys
const UNPRINTABLE = /[\x00-\x08\x0B-\x1F\x7F-\x9F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g

/** Text from outside, made safe to show: nobody's name can move the cursor or hide what follows. */
export const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Matches each string, with the colon behind the name of a member, each number and each literal. */
const LEXEME = /("(?:[^"\\]|\\.)*")(:)?|[\w.+-]+/g

/** Indents JSON, and colours it where colours are shown. It is still JSON without them. */
export function readableJson(value: unknown, paint: Paint): string {
  return printable(JSON.stringify(value, null, 2)).replace(
    LEXEME,
    (lexeme: string, text?: string, colon?: string) =>
      colon === undefined ? paint(styleOf(lexeme, text), lexeme) : `${paint('cyan', text ?? '')}:`,
  )
}

function styleOf(lexeme: string, text: string | undefined): Style {
  if (text !== undefined) return 'green'
  return /^[a-z]+$/.test(lexeme) ? 'magenta' : 'yellow'
}
