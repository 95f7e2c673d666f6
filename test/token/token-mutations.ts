/** Hostile changes to a whole token: its text, its parts, and the members of its header. */
import fc from 'fast-check'
import { base64url, edit } from './fixtures.ts'

/** A change to a token; `other` is another good token of as many parts. */
export type Mutation = (token: string, other: string) => string

/** The letters of a token, what lenient decoders pass over, and what they may choke on. */
const letter = fc.constantFrom(...'ABCabcxyz019-_.=+/ \n\t\0"{}'.split(''), '\u00e9', '\u{1f511}')
const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const at = (text: string, where: number) => Math.floor(text.length * where)

export const letters = fc
  .tuple(fc.constantFrom('replace', 'insert', 'delete'), position, letter)
  .map(([what, where, letter]): Mutation => (token) => {
    const i = at(token, where)
    const rest = token.slice(what === 'insert' ? i : i + 1)
    return token.slice(0, i) + (what === 'delete' ? '' : letter) + rest
  })

export const cut = fc.tuple(position, position).map(
  ([from, to]): Mutation =>
    (token) =>
      token.slice(0, at(token, from)) + token.slice(at(token, to)),
)

const swap = fc.tuple(fc.nat(4), fc.nat(4)).map(([from, to]): Mutation => (token) => {
  const parts = token.split('.')
  const [i, j] = [from % parts.length, to % parts.length]
  ;[parts[i], parts[j]] = [parts[j]!, parts[i]!]
  return parts.join('.')
})

const bit = fc
  .tuple(fc.nat(4), position, fc.nat(7))
  .map(([part, where, bit]): Mutation => (token) => {
    const parts = token.split('.')
    const i = part % parts.length
    const bytes = Buffer.from(parts[i]!, 'base64url')
    if (bytes.length > 0) bytes[Math.floor(bytes.length * where)]! ^= 1 << bit
    parts[i] = base64url(bytes)
    return parts.join('.')
  })

export const HEADER_NAMES = [
  'alg',
  'enc',
  'kid',
  'cty',
  'typ',
  'epk',
  'zip',
  'crit',
  'jwk',
  'apu',
  'req',
]
const HEADER_VALUES = ['none', 'dir', 'HS256', 'ECDH-ES', 'DEF', 'JWT', '', 'A256GCM']
const header = fc
  .tuple(
    fc.oneof(fc.constantFrom(...HEADER_NAMES), fc.string()),
    fc.oneof(fc.constantFrom(...HEADER_VALUES, undefined), fc.jsonValue()),
  )
  .map(
    ([name, value]): Mutation =>
      (token) =>
        edit(token, 0, { [name]: value }),
  )

/** Takes some parts from the other token, but not all. */
const splice = fc.integer({ min: 1, max: 30 }).map((mask): Mutation => (token, other) => {
  const others = other.split('.')
  const all = (1 << others.length) - 1
  if ((mask & all) === all) return token
  return token
    .split('.')
    .map((part, i) => ((mask >> i) & 1 ? others[i] : part))
    .join('.')
})

export const mutations = fc.array(fc.oneof(letters, cut, swap, bit, header, splice), {
  minLength: 1,
  maxLength: 2,
})

/** Makes the changes in turn, except one that fails on what an earlier one left of a header. */
export function mutate(token: string, other: string, changes: readonly Mutation[]): string {
  return changes.reduce((changed, change) => {
    try {
      return change(changed, other)
    } catch {
      return changed
    }
  }, token)
}
