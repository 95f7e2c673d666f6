import fc from 'fast-check'

/** How many code points are halves of a surrogate pair, and the first of them. */
const SURROGATES = 0x800
const FIRST_SURROGATE = 0xd800

const character = fc
  .nat(0x10ffff - SURROGATES)
  .map((n) => String.fromCodePoint(n < FIRST_SURROGATE ? n : n + SURROGATES))

/**
 * Texts of any characters. fast-check's own `unit: 'binary'` spends two seconds on a table of all
 * of them first.
 */
export const anyText = fc.string({ unit: character })
