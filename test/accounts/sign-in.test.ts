import { hash } from '@node-rs/argon2'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { createAccounts, type Accounts } from '../../server/accounts/accounts.ts'
import { recordSignIn } from '../../server/limits/known-clients.ts'
import type { Requester } from '../../server/passwords/fair-queue.ts'
import type { PasswordHasher } from '../../server/passwords/password-hash.ts'
import { createSignIn, type Attempt } from '../../server/accounts/sign-in.ts'
import type { Client } from '../../server/clients/clients.ts'
import type { Database } from '../../server/database/open.ts'
import type { Account } from '../../server/database/schema.ts'
import { failuresInMemory } from '../../server/limits/failure-store.ts'
import { createMemoryLimiter } from '../../server/limits/memory-limiter.ts'
import { createRateLimits } from '../../server/limits/rate-limits.ts'
import { createWrongPasswords } from '../../server/limits/wrong-passwords.ts'
import { UnavailableError } from '../../server/errors/unavailable-error.ts'
import { createClock, type TestClock } from '../support/clock.ts'
import { createCheapHasher } from '../support/passwords.ts'
import { openTestDatabase } from '../support/database.ts'

const PASSWORD = 'a long and winding road'
const OWN = { id: 'own' } as Client
const NEW = { id: 'new' } as Client
const onAllowed = () => Promise.resolve()
const OFF = { signUp: 'off', clients: 'off', refresh: 'off' } as const
const WIDE = { count: 1_000_000, duration: 60 }

let database: Database
let accounts: Accounts
let account: Account
let clock: TestClock
/** What each password was verified against, in order. */
const verified: string[] = []
/** The requester of each verification. */
const requesters: Requester[] = []
/** Whether every verification fails as unavailable. */
let isBusy: boolean
const hasher = createCheapHasher()
const passwords: PasswordHasher = {
  ...hasher,
  verify(passwordHash, password, requester) {
    requesters.push(requester)
    verified.push(passwordHash === undefined ? 'nothing' : 'hash')
    if (isBusy) return Promise.reject(new UnavailableError('busy', 1))
    return hasher.verify(passwordHash, password, requester)
  },
}

let signIn: ReturnType<typeof createSignIn>
const create = (login: { count: number; duration: number }, over = passwords) =>
  createSignIn({
    database,
    clock,
    accounts,
    passwords: over,
    rateLimits: createRateLimits({ ...OFF, login }, (limit) => createMemoryLimiter(limit)),
    wrongPasswords: createWrongPasswords(clock, failuresInMemory()),
  })

beforeAll(async () => {
  clock = createClock()
  database = await openTestDatabase()
  accounts = createAccounts(database, clock)
  const passwordHash = await hasher.hash(PASSWORD, { address: '' })
  account = (await accounts.create({ email: 'Ada@Mail.test', name: undefined, passwordHash }))!
  for (const { id } of [OWN, NEW]) {
    const client = { client_id: id, client_name: null, jwk: '{}', created_at: 0 }
    await database.insertInto('clients').values(client).execute()
  }
  await recordSignIn(database, account.id, OWN.id, clock())
})
afterAll(() => database.destroy())
beforeEach(() => {
  verified.length = 0
  requesters.length = 0
  isBusy = false
  signIn = create(WIDE)
})

/** Whether the sign-in succeeds, or the name of the error. */
async function attempt(changes: Partial<Attempt> = {}): Promise<boolean | string> {
  const right = {
    email: account.email,
    password: PASSWORD,
    client: NEW,
    address: '192.0.2.1',
    onAllowed,
  }
  return signIn.check({ ...right, ...changes }).then(
    (found) => found?.id === account.id,
    (error: unknown) => (error as Error).name,
  )
}
const wrong = (changes: Partial<Attempt> = {}) => attempt({ password: 'wrong', ...changes })

test.each([
  ['the right password', 'ada@MAIL.test', PASSWORD, true, 'hash'],
  ['a wrong one', 'ada@mail.test', 'wrong', false, 'hash'],
  ['an unknown address', 'eve@mail.test', PASSWORD, false, 'nothing'],
  ['no address', '', PASSWORD, false, 'nothing'],
])('%s costs exactly one password verification', async (_, email, password, isRight, what) => {
  expect(await attempt({ email, password })).toBe(isRight)
  expect(verified).toEqual([what])
})

describe('wrong passwords', () => {
  test.each(['ada@mail.test', 'ADA@mail.test', 'eve@mail.test'])(
    'of unknown clients are counted for their address: %s',
    async (email) => {
      for (let i = 0; i < 5; i++) expect(await wrong({ email })).toBe(false)
      expect(await wrong({ email })).toBe('TooManyTries')
      expect(verified).toHaveLength(5)
      // Another unknown client shares the count; another address has its own.
      expect(await wrong({ email, client: { id: 'third' } as Client })).toBe('TooManyTries')
      expect(await wrong({ email, address: '192.0.2.2' })).toBe(false)
    },
  )

  test('of a known client are counted for the client, whatever its address', async () => {
    for (let i = 0; i < 5; i++) {
      expect(await wrong({ client: OWN, address: `192.0.2.${i}` })).toBe(false)
    }
    expect(await wrong({ client: OWN, address: '192.0.2.9' })).toBe('TooManyTries')
    expect(await attempt({ address: '192.0.2.1' })).toBe(true)
  })

  test('of unknown clients never lock out a known client, whose success ends the lockout', async () => {
    for (let i = 0; i < 100; i++) await wrong({ address: `host ${i}` })
    expect(await attempt({ address: 'another host' })).toBe('TooManyTries')
    expect(await attempt({ client: OWN, address: 'host 1' })).toBe(true)
    // The success of a known client ends the lockout.
    expect(await attempt({ address: 'another host' })).toBe(true)
  })

  test('count only if the password was verified', async () => {
    isBusy = true
    for (let i = 0; i < 10; i++) expect(await attempt()).toBe('UnavailableError')
    isBusy = false
    for (let i = 0; i < 5; i++) expect(await wrong()).toBe(false)
    expect(await attempt()).toBe('TooManyTries')
  })
})

test('queues hashes by account for a known client, and by address for any other', async () => {
  await attempt({ client: OWN, email: 'ADA@mail.test' })
  await attempt()
  await attempt({ email: 'eve@mail.test', client: OWN })
  await signIn.confirm({ clientId: OWN.id, account }, PASSWORD)
  const address = '192.0.2.1'
  expect(requesters).toEqual([
    { account: 'ada@mail.test' },
    { address },
    { address },
    { account: 'ada@mail.test' },
  ])
})

describe('the rate limit', () => {
  test('applies per address to unknown clients, and per client to known ones', async () => {
    signIn = create({ count: 2, duration: 60 })
    for (let i = 0; i < 2; i++) expect(await attempt()).toBe(true)
    expect(await attempt()).toBe('TooManyTries')
    expect(await attempt({ email: 'eve@mail.test' })).toBe('TooManyTries')
    expect(await attempt({ address: '192.0.2.2' })).toBe(true)
    for (let i = 0; i < 2; i++) expect(await attempt({ client: OWN })).toBe(true)
    expect(await attempt({ client: OWN, address: '192.0.2.3' })).toBe('TooManyTries')
  })

  test('applies before the password is verified', async () => {
    signIn = create({ count: 3, duration: 60 })
    for (let i = 0; i < 3; i++) expect(await wrong({ client: OWN })).toBe(false)
    for (let i = 0; i < 10; i++) expect(await wrong({ client: OWN })).toBe('TooManyTries')
    expect(verified).toHaveLength(3)
  })
})

test('a client is known for 90 days after a sign-in', async () => {
  const isKnown = async () => {
    signIn = create(WIDE)
    for (let i = 0; i < 5; i++) await wrong({ address: '192.0.2.1' })
    return (await wrong({ client: OWN, address: '192.0.2.1' })) === false
  }
  expect(await isKnown()).toBe(true)
  clock.advance(90 * 86_400 - 1)
  expect(await isKnown()).toBe(true)
  clock.advance(1)
  expect(await isKnown()).toBe(false)
  await recordSignIn(database, account.id, OWN.id, clock())
  expect(await isKnown()).toBe(true)
})

test('a rehash does not overwrite a password that was changed in the meantime', async () => {
  const weak = await hash(PASSWORD, { memoryCost: 16, timeCost: 1, parallelism: 1 })
  const old = (await accounts.create({
    email: 'weak@mail.test',
    name: undefined,
    passwordHash: weak,
  }))!
  signIn = create(WIDE, {
    ...passwords,
    async hash(password, requester) {
      await database
        .updateTable('accounts')
        .set({ password_hash: 'changed', version: old.version + 1 })
        .where('id', '=', old.id)
        .execute()
      return passwords.hash(password, requester)
    },
  })
  const right = {
    email: old.email,
    password: PASSWORD,
    client: NEW,
    address: '192.0.2.1',
    onAllowed,
  }
  // The returned account is stale: no session can be started with it.
  expect((await signIn.check(right))?.version).toBe(old.version)
  expect((await accounts.find(old.id))?.password_hash).toBe('changed')
})
