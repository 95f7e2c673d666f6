import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { LRUCache } from 'lru-cache'
import { createEphemeralKeystore, type Keystore } from '../../server/keystore/keystore.ts'
import { createDatabaseKey } from '../../server/database-keys/database-key.ts'
import { createOpenedKeys } from '../../server/database-keys/opened-keys.ts'
import type { TokenContext } from '../../server/token/token-context.ts'
import { keySet } from '../keystore/fixtures.ts'
import { createClock } from '../support/clock.ts'
import { testConfig } from '../support/config.ts'

const { issuer, algorithms } = testConfig()
/** Milliseconds. */
const MINUTE = 60_000
let elapsed: number

let keystore: Keystore
let context: TokenContext
/** How many keys have been decrypted. */
let decrypted: number

beforeEach(async () => {
  // The cache holds on to the `performance` that fake timers would replace.
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'performance'] })
  elapsed = 1
  jest.spyOn(performance, 'now').mockImplementation(() => elapsed)
  keystore = await createEphemeralKeystore(algorithms)
  decrypted = 0
  const storageKey = (kid: string) => {
    decrypted += 1
    return keystore.storageKey(kid)
  }
  context = { issuer, algorithms, clock: createClock(), keystore: { ...keystore, storageKey } }
})
afterEach(() => {
  jest.restoreAllMocks()
  jest.useRealTimers()
})

function wait(milliseconds: number): void {
  elapsed += milliseconds
  jest.advanceTimersByTime(milliseconds)
}

test('a key is decrypted once a minute', async () => {
  const { plain, sealed } = createDatabaseKey(context)
  const keys = createOpenedKeys(context)
  for (let second = 0; second < 60; second++) {
    expect(await keys.open(sealed)).toBe(plain)
    wait(1000)
  }
  expect(decrypted).toBe(1)
  wait(1)
  expect(await keys.open(sealed)).toBe(plain)
  expect(decrypted).toBe(2)
})

test('it needs no other request to forget a key', async () => {
  const purge = jest.spyOn(LRUCache.prototype, 'purgeStale')
  const { sealed } = createDatabaseKey(context)
  const keys = createOpenedKeys(context)
  keystore.replace(keySet(keystore.signingKey, keystore.encryptionKey))
  wait(1)
  await keys.open(sealed)
  await keys.open(sealed)
  // The interval.
  expect(jest.getTimerCount()).toBe(1)
  wait(MINUTE)
  wait(MINUTE)
  expect(purge.mock.results.map(({ value }) => value)).toEqual([false, true])
})

test('the least recently used key makes room', async () => {
  const [first, second, third] = [1, 2, 3].map(() => createDatabaseKey(context))
  const keys = createOpenedKeys(context, 2)
  for (const { sealed } of [first!, second!, first!, third!]) await keys.open(sealed)
  expect(decrypted).toBe(3)
  await keys.open(first!.sealed)
  await keys.open(third!.sealed)
  expect(decrypted).toBe(3)
  expect(await keys.open(second!.sealed)).toBe(second!.plain)
  expect(decrypted).toBe(4)
})

test('every key is forgotten when the keys of the server change', async () => {
  const { sealed } = createDatabaseKey(context)
  const keys = createOpenedKeys(context)
  await keys.open(sealed)
  const other = await createEphemeralKeystore(algorithms)
  keystore.replace({
    ...keySet(other.signingKey, other.encryptionKey),
    removed: [keystore.encryptionKey.kid],
  })
  expect(await keys.open(sealed)).toBeNull()
})

test('so is a key that is being decrypted meanwhile', async () => {
  const { plain, sealed } = createDatabaseKey(context)
  const { kid } = keystore.encryptionKey
  const other = await createEphemeralKeystore(algorithms)
  const keys = createOpenedKeys(context)
  const opening = keys.open(sealed)
  keystore.replace({ ...keySet(other.signingKey, other.encryptionKey), removed: [kid] })
  expect(await opening).toBe(plain)
  expect(await keys.open(sealed)).toBeNull()
})

test('a key that cannot be opened is not kept', async () => {
  const { plain, sealed } = createDatabaseKey(context)
  const { encryptionKey, signingKey } = keystore
  const other = await createEphemeralKeystore(algorithms)
  keystore.replace(keySet(other.signingKey, other.encryptionKey))
  const keys = createOpenedKeys(context)
  await expect(keys.open(sealed)).rejects.toMatchObject({ name: 'UnavailableError' })
  keystore.replace(keySet(signingKey, encryptionKey))
  expect(await keys.open(sealed)).toBe(plain)
})
