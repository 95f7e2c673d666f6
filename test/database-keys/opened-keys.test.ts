import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createEphemeralKeystore, type Keystore } from '../../server/keystore/keystore.ts'
import { createDatabaseKey } from '../../server/database-keys/database-key.ts'
import { createOpenedKeys } from '../../server/database-keys/opened-keys.ts'
import type { TokenContext } from '../../server/token/token-context.ts'
import { keySet } from '../keystore/fixtures.ts'
import { createClock } from '../support/clock.ts'
import { testConfig } from '../support/config.ts'

const { issuer, algorithms } = testConfig()
/** Milliseconds. */
const GENERATION = 60_000

let keystore: Keystore
let context: TokenContext
/** How many keys have been decrypted. */
let decrypted: number

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] })
  keystore = await createEphemeralKeystore(algorithms)
  decrypted = 0
  const storageKey = (kid: string) => {
    decrypted += 1
    return keystore.storageKey(kid)
  }
  context = { issuer, algorithms, clock: createClock(), keystore: { ...keystore, storageKey } }
})
afterEach(() => {
  jest.useRealTimers()
})

test('a key is decrypted once while it is asked for every minute', async () => {
  const { plain, sealed } = createDatabaseKey(context)
  const keys = createOpenedKeys(context)
  for (let minute = 0; minute < 10; minute++) {
    expect(await keys.open(sealed)).toBe(plain)
    jest.advanceTimersByTime(GENERATION)
  }
  expect(decrypted).toBe(1)
})

test('a key is forgotten two generations after it was last asked for', async () => {
  const [ended, alive] = [createDatabaseKey(context), createDatabaseKey(context)]
  const keys = createOpenedKeys(context)
  await keys.open(alive.sealed)
  jest.advanceTimersByTime(GENERATION / 2)
  await keys.open(ended.sealed)
  for (let half = 0; half < 4; half++) {
    jest.advanceTimersByTime(GENERATION / 2)
    await keys.open(alive.sealed)
  }
  expect(decrypted).toBe(2)
  expect(await keys.open(ended.sealed)).toBe(ended.plain)
  expect(decrypted).toBe(3)
})

test('it needs no other request to forget a key', async () => {
  const { sealed } = createDatabaseKey(context)
  const keys = createOpenedKeys(context)
  await keys.open(sealed)
  jest.advanceTimersByTime(2 * GENERATION)
  await keys.open(sealed)
  expect(decrypted).toBe(2)
})

test('it keeps the keys of two generations at most', async () => {
  const all = Array.from({ length: 7 }, () => createDatabaseKey(context))
  const keys = createOpenedKeys(context, 3)
  for (const { sealed } of all) await keys.open(sealed)
  expect(decrypted).toBe(7)
  await keys.open(all[6]!.sealed)
  await keys.open(all[3]!.sealed)
  expect(decrypted).toBe(7)
  expect(await keys.open(all[2]!.sealed)).toBe(all[2]!.plain)
  expect(decrypted).toBe(8)
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
