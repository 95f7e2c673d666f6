import fc from 'fast-check'

/** The number of surrogate code points, and the first of them. */
const SURROGATES = 0x800
const FIRST_SURROGATE = 0xd800

const character = fc
  .nat(0x10ffff - SURROGATES)
  .map((n) => String.fromCodePoint(n < FIRST_SURROGATE ? n : n + SURROGATES))

/**
 * Strings of any characters. fast-check's own `unit: 'binary'` first spends two seconds on a table of
 * all characters.
 */
export const anyText = fc.string({ unit: character })
