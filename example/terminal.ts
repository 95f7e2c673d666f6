import { styleText } from 'node:util'

export type Style = Parameters<typeof styleText>[0]
/** Text in one style. */
export type Run = readonly [style: Style, text: string]

const INDENT = '   '
/** Wider lines are hard to read. */
const MAX_WIDTH = 100

/** Where a terminal's text goes: `process.stdout`, or what a test puts in its place. */
export interface Output {
  write(text: string | Uint8Array): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  /** As of tty.WriteStream: looks at TERM, NO_COLOR and what the terminal can do. */
  hasColors?(): boolean
}

/** Applies a style to a text. */
export type Paint = (style: Style, text: string) => string

/** Styles text if the output is a terminal with colours; otherwise returns it unchanged. */
export function createPaint(output: Output): Paint {
  const inColour = output.isTTY === true && output.hasColors?.() === true
  // Decided here and not by styleText: what it looks at differs from Node to Node.
  return (style, text) => (inColour ? styleText(style, text, { validateStream: false }) : text)
}

/** Writes steps and artefacts: in colour where it is seen, wrapped to the terminal's width. */
export function createTerminal(output: Output) {
  const paint = createPaint(output)
  const width = Math.max(40, Math.min(output.columns ?? 80, MAX_WIDTH))
  const room = width - INDENT.length
  let steps = 0

  const line = (text = '') => void output.write(text === '' ? '\n' : `${INDENT}${text}\n`)

  function say(sentences: string): void {
    for (const text of wrapWords(sentences, room)) line(text)
  }

  return {
    say,
    step(title: string, sentences: string): void {
      output.write('\n')
      for (const text of wrapWords(`${++steps}. ${title}`, width)) {
        output.write(`${paint('bold', text)}\n`)
      }
      say(sentences)
      line()
    },
    /** One row for each name and value, with the meaning on the same line or below. */
    table(rows: readonly (readonly [name: string, value: string, meaning: string])[]): void {
      const names = Math.max(...rows.map(([name]) => name.length))
      const values = Math.max(...rows.map(([, value]) => Math.min(value.length, 30)))
      for (const [name, value, meaning] of rows) {
        const shown = shorten(value, Math.min(30, room - names - 2))
        const start = `${paint('bold', name.padEnd(names))}  `
        if (meaning !== '' && meaning.length <= room - names - values - 4) {
          line(`${start}${shown.padEnd(values)}  ${paint('dim', meaning)}`)
          continue
        }
        line(start + shown)
        if (meaning === '') continue
        const below = ' '.repeat(names + 2)
        for (const text of wrapWords(meaning, room - below.length)) line(below + paint('dim', text))
      }
    },
    /** One long text, of parts in their own styles, broken where the line ends. */
    block(runs: readonly Run[]): void {
      let text = ''
      let left = room
      for (const [style, part] of runs) {
        for (let rest = part; rest !== '';) {
          const piece = rest.slice(0, left)
          text += paint(style, piece)
          rest = rest.slice(piece.length)
          left -= piece.length
          if (left > 0) continue
          line(text)
          text = ''
          left = room
        }
      }
      if (text !== '') line(text)
    },
    /** A line of a legend: its mark has the colour of what it explains. */
    legend(style: Style, mark: string, meaning: string): void {
      const [first = '', ...more] = wrapWords(meaning, room - mark.length - 2)
      line(`${paint(style, mark)}  ${first}`)
      for (const text of more) line(' '.repeat(mark.length + 2) + text)
    },
    /** What came of it: a good end, or a refusal. */
    outcome(isGood: boolean, text: string): void {
      const [first = '', ...more] = wrapWords(text, room - 2)
      line(`${paint(isGood ? 'green' : 'red', isGood ? '✓' : '✗')} ${first}`)
      for (const next of more) line(`  ${next}`)
    },
    line,
  }
}

export type Terminal = ReturnType<typeof createTerminal>

/** Head and tail of a long text. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text
  const tail = Math.floor((length - 1) / 3)
  return `${text.slice(0, length - 1 - tail)}…${text.slice(text.length - tail)}`
}

function wrapWords(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? ''
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}
