import { hash } from '@node-rs/argon2'
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals'
import { createAccounts, type Accounts } from '../../server/accounts/accounts.ts'
import { createCredentials } from '../../server/accounts/credentials.ts'
import type { PasswordHasher } from '../../server/accounts/password-hash.ts'
import { createSignIn } from '../../server/accounts/sign-in.ts'
import type { Client } from '../../server/clients/clients.ts'
import { openDatabase, type Database } from '../../server/database/open.ts'
import type { Account } from '../../server/database/schema.ts'
import { rateLimited } from '../../server/errors.ts'
import type { Lockout } from '../../server/limits/lockout.ts'
import type { RateLimits } from '../../server/limits/rate-limits.ts'
import { createCheapHasher } from '../support/passwords.ts'

const PASSWORD = 'a long and winding road'
const CLIENT = { id: 'client' } as Client

let database: Database
let accounts: Accounts
let account: Account
let now = 0
const clock = () => now
const order: string[] = []
const rateLimits = { consume: jest.fn<RateLimits['consume']>() }
const lockout = { attempt: jest.fn<Lockout['attempt']>(), clear: jest.fn<Lockout['clear']>() }
const hasher = createCheapHasher()
const passwords: PasswordHasher = {
  ...hasher,
  verify: (passwordHash, password) => {
    order.push(passwordHash === undefined ? 'verify nothing' : 'verify')
    return hasher.verify(passwordHash, password)
  },
}

beforeAll(async () => {
  database = await openDatabase(':memory:')
  accounts = createAccounts(database, clock)
  const passwordHash = await hasher.hash(PASSWORD)
  account = (await accounts.create({ email: 'Ada@Mail.test', name: undefined, passwordHash }))!
})
afterAll(() => database.destroy())
beforeEach(() => {
  order.length = 0
  now = 0
  rateLimits.consume.mockReset().mockImplementation(() => record('consume'))
  lockout.attempt.mockReset().mockImplementation(() => record('attempt'))
  lockout.clear.mockReset().mockImplementation(() => record('clear'))
})

const record = (step: string) => {
  order.push(step)
  return Promise.resolve()
}
const check = (email: string, password = PASSWORD, over: Lockout | undefined = lockout) =>
  createSignIn({ database, clock, accounts, passwords, rateLimits, lockout: over }).check({
    email,
    password,
    client: CLIENT,
    address: '192.0.2.1',
  })

test.each([
  ['the right password', 'ada@MAIL.test', PASSWORD, ['attempt', 'consume', 'verify', 'clear']],
  ['a wrong one', 'ada@mail.test', 'wrong', ['attempt', 'consume', 'verify']],
  ['an unknown address', 'eve@mail.test', PASSWORD, ['attempt', 'consume', 'verify nothing']],
  ['no address', '', PASSWORD, ['attempt', 'consume', 'verify nothing']],
])('%s: counted before the password is looked at', async (_, email, password, steps) => {
  const found = await check(email, password)
  expect(found?.id).toBe(steps.includes('clear') ? account.id : undefined)
  expect(order).toEqual(steps)
})

test.each(['consume', 'attempt'] as const)(
  'no password is looked at once %s has refused',
  async (step) => {
    const refusal = () => Promise.reject(rateLimited(7))
    if (step === 'consume') rateLimits.consume.mockImplementation(refusal)
    else lockout.attempt.mockImplementation(refusal)
    await expect(check('ada@mail.test')).rejects.toMatchObject({ code: 'rate_limited' })
    // What the lockout refuses uses up nobody's allowance.
    expect(order).toEqual(step === 'consume' ? ['attempt'] : [])
    expect(rateLimits.consume).toHaveBeenCalledTimes(step === 'consume' ? 1 : 0)
  },
)

test('without a lockout it is the rate limit alone', async () => {
  const rest = { database, clock, accounts, passwords, rateLimits }
  const signIn = createSignIn({ ...rest, lockout: undefined })
  const attempt = { email: account.email, client: CLIENT, address: '192.0.2.1' }
  expect((await signIn.check({ ...attempt, password: PASSWORD }))?.id).toBe(account.id)
  expect(await signIn.check({ ...attempt, password: 'wrong' })).toBeUndefined()
  expect(lockout.attempt).not.toHaveBeenCalled()
})

test('a client on which the account is signed in is counted for itself, others for the account', async () => {
  const keysOf = async () => {
    await check('ADA@mail.test', 'wrong')
    const [, by, key] = rateLimits.consume.mock.lastCall!
    expect(by).toBe('account')
    return [key, lockout.attempt.mock.lastCall![0]]
  }
  const asStranger = await keysOf()
  await database
    .insertInto('clients')
    .values({ client_id: CLIENT.id, client_name: null, jwk: '{}', created_at: 0 })
    .execute()
  const times = { created_at: 0, last_used_at: 0, expires_at: 5000 }
  await database
    .insertInto('sessions')
    .values({
      ...{ id: 's', account_id: account.id, client_id: CLIENT.id, database_key: 'k' },
      ...times,
    })
    .execute()
  const asKnown = await keysOf()
  for (const i of [0, 1]) expect(asKnown[i]).not.toBe(asStranger[i])
  // As long as the session lives, and no longer, swept away or not.
  now = 4999
  expect(await keysOf()).toEqual(asKnown)
  now = 5000
  expect(await keysOf()).toEqual(asStranger)
  now = 0
  expect(await keysOf()).toEqual(asKnown)
  await database.deleteFrom('sessions').execute()
  expect(await keysOf()).toEqual(asStranger)
})

test('a rehash does not overwrite a password that was changed in the meantime', async () => {
  const weak = await hash(PASSWORD, { memoryCost: 8 * 1024, timeCost: 1, parallelism: 1 })
  const create = { email: 'weak@mail.test', name: undefined, passwordHash: weak }
  const old = (await accounts.create(create))!
  const changing: PasswordHasher = {
    ...passwords,
    async hash(password) {
      await createCredentials(database).changePassword(old, 'changed', 'none')
      return passwords.hash(password)
    },
  }
  const rest = { database, clock, accounts, rateLimits, lockout }
  const signIn = createSignIn({ ...rest, passwords: changing })
  const attempt = { email: old.email, password: PASSWORD, client: CLIENT, address: '192.0.2.1' }
  // What it gives back is stale: no session can be started with it.
  expect((await signIn.check(attempt))?.version).toBe(old.version)
  expect((await accounts.find(old.id))?.password_hash).toBe('changed')
})
