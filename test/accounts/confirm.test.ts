import { afterAll, beforeEach, expect, test } from '@jest/globals'
import { createAccounts } from '../../server/accounts/accounts.ts'
import type { PasswordHasher } from '../../server/passwords/password-hash.ts'
import { createSignIn } from '../../server/accounts/sign-in.ts'
import type { Account } from '../../server/database/schema.ts'
import { RefusedError } from '../../server/errors/refused-error.ts'
import { failuresInMemory } from '../../server/limits/failure-store.ts'
import { createMemoryLimiter } from '../../server/limits/memory-limiter.ts'
import { createRateLimits } from '../../server/limits/rate-limits.ts'
import { createWrongPasswords, type WrongPasswords } from '../../server/limits/wrong-passwords.ts'
import { createClock, type TestClock } from '../support/clock.ts'
import { createCheapHasher } from '../support/passwords.ts'
import { openTestDatabase } from '../support/database.ts'

const PASSWORD = 'a long and winding road'
const EMAIL = 'ada@mail.test'
const OFF = { signUp: 'off', clients: 'off', refresh: 'off' } as const
const WIDE = { count: 1_000_000, duration: 60 }

const hasher = createCheapHasher()
const database = await openTestDatabase()
afterAll(() => database.destroy())
const account = {
  email_key: EMAIL,
  password_hash: await hasher.hash(PASSWORD, { address: '' }),
} as Account

let clock: TestClock
let wrongPasswords: WrongPasswords
let signIn: ReturnType<typeof createSignIn>
const create = (login = WIDE, passwords: PasswordHasher = hasher) =>
  createSignIn({
    passwords,
    rateLimits: createRateLimits({ ...OFF, login }, (limit) => createMemoryLimiter(limit)),
    wrongPasswords,
    clock,
    accounts: createAccounts(database, clock),
    database,
  })
beforeEach(() => {
  clock = createClock()
  wrongPasswords = createWrongPasswords(clock, failuresInMemory())
  signIn = create()
})

/** Undefined if the password is accepted, else the reason of the refusal or the name of the error. */
async function confirm(password: string, clientId = 'phone'): Promise<string | undefined> {
  return signIn.confirm({ clientId, account }, password).then(
    () => undefined,
    (error: unknown) => (error instanceof RefusedError ? error.reason : (error as Error).name),
  )
}

test('accepts the right password and refuses a wrong one', async () => {
  expect(await confirm(PASSWORD)).toBeUndefined()
  expect(await confirm('wrong')).toBe('wrong_password')
})

test('counts wrong passwords until the right one clears the count', async () => {
  for (let i = 0; i < 4; i++) expect(await confirm('wrong')).toBe('wrong_password')
  expect(await confirm(PASSWORD)).toBeUndefined()
  for (let i = 0; i < 5; i++) expect(await confirm('wrong')).toBe('wrong_password')
  expect(await confirm(PASSWORD)).toBe('TooManyTries')
  clock.advance(1)
  expect(await confirm(PASSWORD)).toBeUndefined()
})

test('counts wrong passwords together with failed sign-ins of the same client, and of no other', async () => {
  const tryOnce = (knownClient: string) =>
    wrongPasswords.check({ account: EMAIL, source: { knownClient } }, () => Promise.resolve(false))
  for (let i = 0; i < 3; i++) await confirm('wrong')
  for (let i = 0; i < 2; i++) await tryOnce('phone')
  expect(await confirm(PASSWORD)).toBe('TooManyTries')
  await expect(tryOnce('phone')).rejects.toMatchObject({ name: 'TooManyTries' })
  expect(await confirm(PASSWORD, 'laptop')).toBeUndefined()
})

test('the right password ends the lockout of unknown clients', async () => {
  const guess = (index: number) =>
    wrongPasswords.check({ account: EMAIL, source: { address: `host ${index}` } }, () =>
      Promise.resolve(false),
    )
  for (let i = 0; i < 100; i++) await guess(i)
  await expect(guess(100)).rejects.toMatchObject({ name: 'TooManyTries' })
  expect(await confirm(PASSWORD)).toBeUndefined()
  await expect(guess(100)).resolves.toBe(false)
})

test('RATE_LIMIT_LOGIN applies per client, and its refusals do not count as wrong passwords', async () => {
  signIn = create({ count: 2, duration: 60 })
  for (let i = 0; i < 2; i++) expect(await confirm('wrong')).toBe('wrong_password')
  for (let i = 0; i < 9; i++) expect(await confirm(PASSWORD)).toBe('TooManyTries')
  expect(await confirm(PASSWORD, 'laptop')).toBeUndefined()
  signIn = create()
  for (let i = 0; i < 3; i++) expect(await confirm('wrong')).toBe('wrong_password')
  expect(await confirm('wrong')).toBe('TooManyTries')
})

test('a password that could not be checked does not count as wrong', async () => {
  const verify = () => Promise.reject(new RangeError('no memory'))
  signIn = create(WIDE, { ...hasher, verify })
  for (let i = 0; i < 9; i++) expect(await confirm(PASSWORD)).toBe('RangeError')
  signIn = create()
  expect(await confirm(PASSWORD)).toBeUndefined()
})
