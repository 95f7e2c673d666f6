import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createSecretKey, randomBytes } from 'node:crypto'
import {
  createKnownAgreements,
  type KnownAgreements,
} from '../../../server/token/jwe/known-agreements.ts'

const CAPACITY = 20
/** Milliseconds. */
const TEN_MINUTES = 600_000
let elapsed: number
let agreements: KnownAgreements
beforeEach(() => {
  elapsed = 1
  jest.spyOn(performance, 'now').mockImplementation(() => elapsed)
  agreements = createKnownAgreements(CAPACITY)
})
afterEach(() => {
  jest.restoreAllMocks()
})

const agreement = (id: string) => ({ id, wrappingKey: createSecretKey(randomBytes(16)) })
const remember = (clientId: string, ...ids: string[]) => {
  for (const id of ids) agreements.remember(clientId, agreement(id))
}
const known = (...ids: string[]) => ids.filter((id) => agreements.find(id) !== undefined)
const numbered = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${name}${index}`)

describe('entries', () => {
  test('are found once remembered, and no others are', () => {
    const one = agreement('one')
    agreements.remember('client', one)
    expect(agreements.find('one')).toBe(one.wrappingKey)
    expect(agreements.find('two')).toBeUndefined()
    expect(agreements).toMatchObject({ lookups: { hits: 1, misses: 1 } })
  })

  test('each client has four, and a fifth replaces its oldest', () => {
    remember('client', 'a', 'b', 'c', 'd', 'e')
    expect(known('a', 'b', 'c', 'd', 'e')).toEqual(['b', 'c', 'd', 'e'])
  })

  test('the least recently used one makes room, and no client takes more than four places', () => {
    const clients = numbered('client', CAPACITY)
    for (const client of clients) remember(client, client)
    // Used again, it is no longer the least recently used.
    remember('client0', 'client0')
    remember('newcomer', 'newcomer')
    expect(known(...clients)).toEqual(clients.filter((client) => client !== 'client1'))
    remember('newcomer', ...numbered('more', 100))
    expect(known(...clients)).toEqual(['client0', ...clients.slice(5)])
    expect(known(...numbered('more', 100))).toHaveLength(4)
  })

  test('there are never more than the capacity', () => {
    const ids = numbered('id', 200)
    for (const [index, id] of ids.entries()) remember(`client${index % 50}`, id)
    expect(known(...ids)).toHaveLength(CAPACITY)
  })

  test('a client whose agreements are gone may have four again', () => {
    remember('client', 'a', 'b', 'c', 'd')
    agreements.clear()
    remember('client', 'e', 'f', 'g', 'h')
    expect(known('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')).toEqual(['e', 'f', 'g', 'h'])
  })

  test('another client with the same agreement does not replace it', () => {
    const one = agreement('one')
    agreements.remember('client', one)
    agreements.remember('other', agreement('one'))
    expect(agreements.find('one')).toBe(one.wrappingKey)
    remember('other', 'a', 'b', 'c', 'd')
    expect(known('one', 'a', 'b', 'c', 'd')).toHaveLength(5)
  })

  test('an id of more than 512 characters is not remembered', () => {
    remember('client', 'x'.repeat(512), 'y'.repeat(513))
    expect(known('x'.repeat(512), 'y'.repeat(513))).toEqual(['x'.repeat(512)])
  })
})

describe('ten minutes', () => {
  test('are counted from the agreement, however often it is used', () => {
    remember('client', 'one')
    elapsed += TEN_MINUTES
    expect(known('one')).toEqual(['one'])
    remember('client', 'one')
    elapsed += 1
    expect(known('one')).toEqual([])
  })

  test('later, it may be remembered again', () => {
    remember('client', 'one')
    elapsed += TEN_MINUTES + 1
    expect(known('one')).toEqual([])
    remember('client', 'one')
    expect(known('one')).toEqual(['one'])
  })
})
