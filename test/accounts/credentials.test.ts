import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createAccounts } from '../../server/accounts/accounts.ts'
import { createCredentials } from '../../server/accounts/credentials.ts'
import { openDatabase, type Database } from '../../server/database/open.ts'
import type { Account } from '../../server/database/schema.ts'

let database: Database
let account: Account
let bystander: Account

const accounts = () => createAccounts(database, () => 0)
const credentials = () => createCredentials(database)
const read = async ({ id } = account) => (await accounts().find(id))!
const sessionIds = async () =>
  (await database.selectFrom('sessions').select('id').orderBy('id').execute()).map(({ id }) => id)
const resetHashes = async () =>
  (await database.selectFrom('password_resets').select('jti_hash').execute()).map(
    ({ jti_hash }) => jti_hash,
  )

beforeEach(async () => {
  database = await openDatabase(':memory:')
  const create = async (email: string) =>
    (await accounts().create({ email, name: undefined, passwordHash: 'old' }))!
  account = await create('ada@mail.test')
  bystander = await create('eve@mail.test')
  await database
    .insertInto('clients')
    .values({ client_id: 'client', client_name: null, jwk: '{}', created_at: 0 })
    .execute()
  for (const [id, owner] of [
    ['a1', account],
    ['a2', account],
    ['e1', bystander],
  ] as const) {
    const times = { created_at: 0, last_used_at: 0, expires_at: 1 }
    await database
      .insertInto('sessions')
      .values({ id, account_id: owner.id, client_id: 'client', database_key: 'k', ...times })
      .execute()
  }
  for (const [jti_hash, owner] of [
    ['reset-a1', account],
    ['reset-a2', account],
    ['reset-e1', bystander],
  ] as const) {
    await database
      .insertInto('password_resets')
      .values({ jti_hash, account_id: owner.id, version: 0, expires_at: 1 })
      .execute()
  }
})
afterEach(() => database.destroy())

describe.each<[string, (of: Account) => Promise<string[] | undefined>, string[], object]>([
  [
    'changePassword',
    (of) => credentials().changePassword(of, 'new', 'a1'),
    ['a2'],
    { password_hash: 'new' },
  ],
  [
    'resetPassword',
    (of) => credentials().resetPassword(of, 'new', 'reset-a1'),
    ['a1', 'a2'],
    { password_hash: 'new' },
  ],
  [
    'changeScope',
    (of) => credentials().changeScope(of, 'user admin'),
    ['a1', 'a2'],
    { scope: 'user admin' },
  ],
])('%s', (_, change, ended, values) => {
  test('changes just this, raises the version, ends sessions and every reset token', async () => {
    expect((await change(account))?.toSorted()).toEqual(ended)
    expect(await read()).toEqual({ ...account, ...values, version: account.version + 1 })
    expect(await read(bystander)).toEqual(bystander)
    expect(await sessionIds()).toEqual(['a1', 'a2', 'e1'].filter((id) => !ended.includes(id)))
    expect(await resetHashes()).toEqual(['reset-e1'])
  })

  test('changes nothing where the account has changed since it was read', async () => {
    expect(await credentials().changeScope(account, 'user')).toBeDefined()
    const before = [await read(), await sessionIds(), await resetHashes()]
    expect(await change(account)).toBeUndefined()
    expect([await read(), await sessionIds(), await resetHashes()]).toEqual(before)
  })

  test('changes nothing where the account is gone', async () => {
    await accounts().remove(account.id)
    expect(await change(account)).toBeUndefined()
    expect(await sessionIds()).toEqual(['e1'])
  })

  test('of ten at once one succeeds', async () => {
    const results = await Promise.all(Array.from({ length: 10 }, () => change(account)))
    expect(results.filter((result) => result !== undefined)).toHaveLength(1)
    expect((await read()).version).toBe(account.version + 1)
  })
})

test('a reset token that was used, or never was, changes nothing', async () => {
  expect(await credentials().resetPassword(account, 'new', 'reset-a1')).toBeDefined()
  const before = await read()
  for (const hash of ['reset-a1', 'reset-a2', 'unknown']) {
    expect(await credentials().resetPassword(before, 'newer', hash)).toBeUndefined()
  }
  expect(await read()).toEqual(before)
})

test('nor does one of another account', async () => {
  expect(await credentials().resetPassword(account, 'new', 'reset-e1')).toBeUndefined()
  expect(await read()).toEqual(account)
})

test('another hash of the same password is no change: rehashing keeps the version', async () => {
  await accounts().rehash(account, 'rehashed')
  expect(await read()).toEqual({ ...account, password_hash: 'rehashed' })
})

test('a rehash that comes after a change does not bring the old password back', async () => {
  await credentials().changePassword(account, 'new', 'a1')
  await accounts().rehash(account, 'rehash of the old')
  expect((await read()).password_hash).toBe('new')
})
