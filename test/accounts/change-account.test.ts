import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createAccounts } from '../../server/accounts/accounts.ts'
import { changeAccount, handOver } from '../../server/accounts/change-account.ts'
import { recordSignIn } from '../../server/limits/known-clients.ts'
import type { Database } from '../../server/database/open.ts'
import type { Account } from '../../server/database/schema.ts'
import { hashJti, recordRefreshToken } from '../../server/sessions/refresh-tokens.ts'
import type { Session } from '../../server/sessions/session.ts'
import { sessionOf } from '../sessions/fixtures.ts'
import { openTestDatabase } from '../support/database.ts'

let database: Database
let account: Account
let bystander: Account

const accounts = () => createAccounts(database, () => 0)
const read = async ({ id } = account) => (await accounts().find(id))!
const sessionIds = async () =>
  (await database.selectFrom('sessions').select('id').orderBy('id').execute()).map(({ id }) => id)

beforeEach(async () => {
  database = await openTestDatabase()
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
})
afterEach(() => database.destroy())

const inTransaction = <T>(work: (trx: Database) => Promise<T>) =>
  database.transaction().execute(work)
const reset = (of: Account, password_hash = 'new') =>
  inTransaction((trx) => handOver(trx, of, { password_hash, email_verified_at: 0 }))

describe.each<[string, (of: Account) => Promise<unknown>, unknown, string[], object]>([
  ['handOver', reset, undefined, ['e1'], { password_hash: 'new', email_verified_at: 0 }],
  [
    'changeAccount',
    (of) => changeAccount(database, of, { scope: 'user admin' }),
    false,
    ['a1', 'a2', 'e1'],
    { scope: 'user admin' },
  ],
])('%s', (_, change, unchanged, left, values) => {
  test('changes only what it is given, and raises the version', async () => {
    expect(await change(account)).not.toBe(unchanged)
    expect(await read()).toEqual({ ...account, ...values, version: account.version + 1 })
    expect(await read(bystander)).toEqual(bystander)
    expect(await sessionIds()).toEqual(left)
  })

  test('changes nothing if the account has changed since it was read', async () => {
    expect(await changeAccount(database, account, { scope: 'user' })).toBe(true)
    const before = [await read(), await sessionIds()]
    expect(await change(account)).toBe(unchanged)
    expect([await read(), await sessionIds()]).toEqual(before)
  })

  test('changes nothing if the account has been deleted', async () => {
    await database.deleteFrom('accounts').where('id', '=', account.id).execute()
    expect(await change(account)).toBe(unchanged)
    expect(await sessionIds()).toEqual(['e1'])
  })

  test('succeeds once if called ten times at once', async () => {
    const results = await Promise.all(Array.from({ length: 10 }, () => change(account)))
    expect(results.filter((result) => result !== unchanged)).toHaveLength(1)
    expect((await read()).version).toBe(account.version + 1)
  })
})

test('handOver returns the sessions that it ended', async () => {
  expect((await reset(account))?.toSorted()).toEqual(['a1', 'a2'])
})

describe('the known clients of an account', () => {
  const BYSTANDER = ['eve@mail.test', 'client']
  beforeEach(async () => {
    const other = { client_id: 'intruder', client_name: null, jwk: '{}', created_at: 0 }
    await database.insertInto('clients').values(other).execute()
    for (const id of ['client', 'intruder']) await recordSignIn(database, account.id, id, 0)
    await recordSignIn(database, bystander.id, 'client', 0)
  })

  test.each<[string, () => Promise<unknown>, string[][]]>([
    ['are forgotten after handOver', () => reset(account), []],
    [
      'are forgotten after changePassword, except the one that changed it',
      async () => changePassword(await sessionOf(database, 'a1')),
      [['ada@mail.test', 'client']],
    ],
    [
      'are kept if the account has changed since it was read',
      () => reset({ ...account, version: account.version + 1 }),
      ['client', 'intruder'].map((id) => ['ada@mail.test', id]),
    ],
  ])('%s', async (_, change, left) => {
    await change()
    const known = await database
      .selectFrom('known_clients')
      .innerJoin('accounts', 'accounts.id', 'account_id')
      .select(['email', 'client_id'])
      .orderBy('email')
      .orderBy('client_id')
      .execute()
    expect(known.map(({ email, client_id }) => [email, client_id])).toEqual([...left, BYSTANDER])
  })
})

test('rehashing the same password keeps the version', async () => {
  await accounts().rehash(account, 'rehashed')
  expect(await read()).toEqual({ ...account, password_hash: 'rehashed' })
})

test('a rehash of the old password does not overwrite a changed one', async () => {
  await changePassword(await sessionOf(database, 'a1'))
  await accounts().rehash(account, 'rehash of the old')
  expect((await read()).password_hash).toBe('new')
})

const changePassword = (session: Session, jti = 'next') =>
  accounts().changePassword(session, 'new', { jti, expiresAt: 7 })

describe('changePassword', () => {
  const refreshTokens = () =>
    database.selectFrom('refresh_tokens').selectAll().orderBy('jti_hash').execute()
  const generations = async () => {
    const rows = await database.selectFrom('sessions').select(['id', 'generation']).execute()
    return Object.fromEntries(rows.map(({ id, generation }) => [id, generation]))
  }
  beforeEach(async () => {
    for (const id of ['a1', 'a2', 'e1']) await recordRefreshToken(database, id, `of ${id}`, 5)
  })

  test('raises the version, ends the other sessions and starts the next generation of this one', async () => {
    expect(await changePassword(await sessionOf(database, 'a1'))).toEqual(['a2'])
    expect(await read()).toEqual({ ...account, password_hash: 'new', version: 1 })
    expect(await read(bystander)).toEqual(bystander)
    expect(await generations()).toEqual({ a1: 1, e1: 0 })
    const kept = (await refreshTokens()).map(({ jti_hash, session_id, expires_at, used_at }) => [
      jti_hash,
      session_id,
      expires_at,
      used_at,
    ])
    expect(kept).toHaveLength(2)
    expect(kept).toEqual(
      expect.arrayContaining([
        [hashJti('next'), 'a1', 7, null],
        [hashJti('of e1'), 'e1', 5, null],
      ]),
    )
  })

  test.each<[string, string, () => Promise<unknown>]>([
    [
      'the session ends',
      'session_ended',
      () => database.deleteFrom('sessions').where('id', '=', 'a1').execute(),
    ],
    [
      'the session expires',
      'session_ended',
      () => database.updateTable('sessions').set({ expires_at: 0 }).execute(),
    ],
    [
      'the same session changes the password',
      'session_ended',
      async () => changePassword(await sessionOf(database, 'a1'), 'before'),
    ],
    [
      'another session changes the password',
      'session_ended',
      async () => changePassword(await sessionOf(database, 'a2'), 'before'),
    ],
    ['the password is reset', 'session_ended', () => reset(account, 'other')],
    [
      'the account is deleted',
      'session_ended',
      () => database.deleteFrom('accounts').where('id', '=', account.id).execute(),
    ],
    [
      'the version of the account changes, but the session lives,',
      'account_changed',
      () => database.updateTable('accounts').set({ version: 1, password_hash: 'other' }).execute(),
    ],
  ])('changes nothing if %s meanwhile', async (_, reason, interfere) => {
    const session = await sessionOf(database, 'a1')
    await interfere()
    const state = async () => [
      await accounts().find(account.id),
      await generations(),
      await refreshTokens(),
    ]
    const before = await state()
    const change = changePassword(session)
    await expect(change).rejects.toMatchObject({ name: 'RefusedError', reason })
    expect(await state()).toEqual(before)
  })

  test('succeeds once if called ten times at once', async () => {
    const session = await sessionOf(database, 'a1')
    const changes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => changePassword(session, `next-${i}`)),
    )
    expect(changes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await generations()).toEqual({ a1: 1, e1: 0 })
    expect((await read()).version).toBe(1)
  })
})
