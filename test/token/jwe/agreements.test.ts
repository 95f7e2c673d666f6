import { beforeEach, describe, expect, test } from '@jest/globals'
import { createSecretKey, randomBytes } from 'node:crypto'
import { createAgreements, type Agreements } from '../../../server/token/jwe/agreements.ts'
import { createClock, type TestClock } from '../../support/clock.ts'

const CAPACITY = 20
let clock: TestClock
let agreements: Agreements
beforeEach(() => {
  clock = createClock()
  agreements = createAgreements(clock, CAPACITY)
})

const agreement = (id: string, kid = 'kid') => ({
  id,
  kid,
  wrappingKey: createSecretKey(randomBytes(16)),
})
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
    agreements.keepOnly(new Set())
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
    clock.advance(599.999)
    expect(known('one')).toEqual(['one'])
    remember('client', 'one')
    clock.advance(0.001)
    expect(known('one')).toEqual([])
  })

  test('later, it may be remembered again', () => {
    remember('client', 'one')
    clock.advance(600)
    expect(known('one')).toEqual([])
    remember('client', 'one')
    expect(known('one')).toEqual(['one'])
  })

  test('do not get longer if the clock is set back', () => {
    remember('client', 'one')
    clock.advance(-1)
    expect(known('one')).toEqual([])
    clock.advance(1)
    expect(known('one')).toEqual([])
  })
})

test('agreements are forgotten with their key', () => {
  for (const kid of ['a', 'b', 'c']) agreements.remember(kid, agreement(kid, kid))
  agreements.keepOnly(new Set(['b', 'd']))
  expect(known('a', 'b', 'c')).toEqual(['b'])
})
