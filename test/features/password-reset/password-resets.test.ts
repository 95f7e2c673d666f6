import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createAccounts } from '../../../server/accounts/accounts.ts'
import {
  createPasswordResets,
  type PasswordResets,
} from '../../../server/features/password-reset/password-resets.ts'
import {
  createBackground,
  type Background,
} from '../../../server/features/password-reset/background.ts'
import type { Database } from '../../../server/database/open.ts'
import type { Account } from '../../../server/database/schema.ts'
import { isKnownClient, recordSignIn } from '../../../server/limits/known-clients.ts'
import { createLogger } from '../../../server/log/logger.ts'
import type { TokenContext } from '../../../server/token/token-context.ts'
import { createTestMailer } from './test-mailer.ts'
import { setUp } from '../../token/fixtures.ts'
import { openTestDatabase } from '../../support/database.ts'

let clock: Awaited<ReturnType<typeof setUp>>['clock']
let tokens: TokenContext
let database: Database
let account: Account
let mailer: ReturnType<typeof createTestMailer>
let background: Background
let resets: PasswordResets
let logs: string[]
const log = createLogger('trace', { write: (line) => void logs.push(line) })

beforeEach(async () => {
  const { context, clock: ownClock } = await setUp()
  tokens = context
  clock = ownClock
  logs = []
  database = await openTestDatabase()
  const accounts = createAccounts(database, clock)
  const create = { email: 'Ada@Mail.test', name: undefined, passwordHash: 'hash' }
  account = (await accounts.create(create))!
  mailer = createTestMailer()
  background = createBackground()
  resets = createPasswordResets({ accounts, database, tokens }, mailer, background)
})
afterEach(() => database.destroy())

const rows = () => database.selectFrom('password_resets').selectAll().execute()
async function mailed(email = account.email): Promise<string> {
  resets.request(email, log)
  await background.idle()
  return mailer.sent.at(-1)!.text.split('\n').at(-1)!
}

test('a request looks nothing up before the caller continues', async () => {
  for (const email of [account.email, 'nobody@mail.test']) {
    resets.request(email, log)
  }
  expect([mailer.sent, await rows()]).toEqual([[], []])
  await background.idle()
  expect(mailer.sent).toHaveLength(1)
})

test("the stored row has the token's hash and the account's version, for 15 minutes", async () => {
  const token = await mailed('ADA@mail.TEST')
  const found = await resets.find(token)
  expect(found).toMatchObject({ account, jtiHash: expect.any(String) })
  expect(await rows()).toEqual([
    {
      jti_hash: found!.jtiHash,
      account_id: account.id,
      version: account.version,
      expires_at: clock() + 900_000,
    },
  ])
})

test('an unknown address stores nothing and sends nothing', async () => {
  resets.request('nobody@mail.test', log)
  await background.idle()
  expect([mailer.sent, await rows(), logs]).toEqual([[], [], []])
})

test('find does not use the token up', async () => {
  const token = await mailed()
  for (let i = 0; i < 3; i++) expect((await resets.find(token))?.account.id).toBe(account.id)
})

test.each([
  [899, true],
  [900, false],
])('after %i s find accepts the token: %s', async (seconds, isGood) => {
  const token = await mailed()
  clock.advance(seconds)
  expect((await resets.find(token)) !== undefined).toBe(isGood)
})

test.each<[string, () => Promise<unknown>]>([
  ['used', () => database.deleteFrom('password_resets').execute()],
  [
    'stored as expired',
    () => database.updateTable('password_resets').set({ expires_at: clock() }).execute(),
  ],
  [
    'for an earlier version of its account',
    () => database.updateTable('accounts').set({ version: 7 }).execute(),
  ],
  ['for a removed account', () => database.deleteFrom('accounts').execute()],
])('find returns nothing for a token that is %s', async (_, change) => {
  const token = await mailed()
  await change()
  expect(await resets.find(token)).toBeUndefined()
})

test.each(['', 'garbage', 'a.b.c.d.e'])('find returns nothing for "%s"', async (token) => {
  expect(await resets.find(token)).toBeUndefined()
})

test('a database error is thrown, not taken for a refusal', async () => {
  const token = await mailed()
  await database.schema.dropTable('password_resets').execute()
  await expect(resets.find(token)).rejects.toThrow()
})

test('a mail error is logged, and the next request is processed', async () => {
  const send = mailer.send.bind(mailer)
  mailer.send = () => Promise.reject(new Error('no mail today'))
  resets.request(account.email, log)
  await background.idle()
  mailer.send = send
  await mailed()
  expect(logs.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { level: 'error', err: { message: 'no mail today' } },
  ])
})

test('a message that is never delivered does not delay later ones', async () => {
  const send = mailer.send.bind(mailer)
  let deliver: () => void = () => undefined
  const delivery = new Promise<void>((resolve) => (deliver = resolve))
  let isStuck = false
  mailer.send = (message) => {
    if (isStuck) return send(message)
    isStuck = true
    return delivery
  }
  const handedOver = new Promise<void>((resolve) => {
    const { sent } = mailer
    const poll = setInterval(() => {
      if (sent.length < 2) return
      clearInterval(poll)
      resolve()
    }, 5)
  })
  for (let i = 0; i < 3; i++) resets.request(account.email, log)
  await handedOver
  expect(isStuck).toBe(true)
  expect(background.size).toBeGreaterThan(0)
  let isIdle = false
  const idle = background.idle().then(() => (isIdle = true))
  await new Promise((resolve) => setImmediate(resolve))
  expect(isIdle).toBe(false)
  deliver()
  await idle
  expect(logs).toEqual([])
})

describe('for one account', () => {
  const ask = async (email: string, times: number) => {
    const before = mailer.sent.length
    for (let i = 0; i < times; i++) resets.request(email, log)
    await background.idle()
    return mailer.sent.length - before
  }

  test('at most five messages are sent in ten minutes, whatever the case of the address', async () => {
    const accounts = createAccounts(database, clock)
    await accounts.create({ email: 'bob@mail.test', name: undefined, passwordHash: 'hash' })
    expect(await ask(account.email, 4)).toBe(4)
    expect(await ask('ADA@mail.TEST', 4)).toBe(1)
    expect(await ask(account.email, 1)).toBe(0)
    expect(await rows()).toHaveLength(5)
    expect(logs).toEqual([])
    // Other accounts are not limited, and the five tokens are valid.
    expect(await ask('bob@mail.test', 1)).toBe(1)
    for (const { text } of mailer.sent.slice(0, 5)) {
      expect((await resets.find(text.split('\n').at(-1)!))?.account.id).toBe(account.id)
    }
  })

  test('when no message is sent, five tokens are valid for five more minutes', async () => {
    expect(await ask(account.email, 1)).toBe(1)
    clock.advance(60)
    expect(await ask(account.email, 5)).toBe(4)
    clock.advance(539)
    expect(await ask(account.email, 1)).toBe(0)
    clock.advance(300)
    for (const { text } of mailer.sent) {
      expect(await resets.find(text.split('\n').at(-1)!)).toBeDefined()
    }
  })

  test('a message does not count after ten minutes', async () => {
    expect(await ask(account.email, 1)).toBe(1)
    clock.advance(60)
    expect(await ask(account.email, 5)).toBe(4)
    clock.advance(540)
    expect(await ask(account.email, 2)).toBe(1)
  })

  test('a message does not count after a change of the password', async () => {
    expect(await ask(account.email, 6)).toBe(5)
    await database
      .updateTable('accounts')
      .set({ version: account.version + 1 })
      .execute()
    expect(await ask(account.email, 6)).toBe(5)
  })

  test('a message that could not be sent does not count', async () => {
    const send = mailer.send.bind(mailer)
    mailer.send = () => Promise.reject(new Error('no mail today'))
    expect(await ask(account.email, 6)).toBe(0)
    expect(logs).toHaveLength(6)
    expect(await rows()).toEqual([])
    mailer.send = send
    expect(await ask(account.email, 6)).toBe(5)
  })
})

test('at most a thousand requests wait', async () => {
  let release: () => void = () => undefined
  background.run(
    () =>
      new Promise((resolve) => {
        release = resolve
      }),
  )
  await new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 999; i++) resets.request('nobody@mail.test', log)
  for (const email of [account.email, 'nobody@mail.test']) {
    expect(() => {
      resets.request(email, log)
    }).toThrow(expect.objectContaining({ name: 'UnavailableError', retryAfter: 10 }))
  }
  release()
  await background.idle()
  expect(mailer.sent).toEqual([])
})

describe('a new password', () => {
  const found = async () => (await resets.find(await mailed()))!
  const current = async () =>
    (await database.selectFrom('accounts').selectAll().executeTakeFirst())!

  test('uses up every token of the account', async () => {
    await mailed()
    expect(await resets.complete(await found(), 'new')).toEqual([])
    expect(await current()).toMatchObject({ password_hash: 'new', version: account.version + 1 })
    expect(await rows()).toEqual([])
  })

  test('is set by one of several concurrent resets', async () => {
    const [one, other] = [await found(), await found()]
    const results = await Promise.all([
      resets.complete(one, 'one'),
      resets.complete(one, 'again'),
      resets.complete(other, 'other'),
    ])
    expect(results.filter((ended) => ended !== undefined)).toHaveLength(1)
    expect((await current()).version).toBe(account.version + 1)
  })

  test('changes nothing else, and proves the address the first time', async () => {
    const before = await current()
    await resets.complete(await found(), 'new')
    const proved = clock()
    const once = { version: account.version + 1, email_verified_at: proved }
    expect(await current()).toEqual({ ...before, ...once, password_hash: 'new' })
    clock.advance(60)
    await resets.complete(await found(), 'newer')
    expect(await current()).toMatchObject({ password_hash: 'newer', email_verified_at: proved })
  })

  test('ends every session of the account and makes every client unknown', async () => {
    const client = { client_id: 'client', client_name: null, jwk: '{}', created_at: 0 }
    await database.insertInto('clients').values(client).execute()
    const bob = { email: 'bob@mail.test', name: undefined, passwordHash: 'hash' }
    const other = (await createAccounts(database, clock).create(bob))!
    const times = { created_at: 0, last_used_at: 0, expires_at: clock() + 1 }
    const members = { client_id: 'client', database_key: 'k', ...times }
    for (const [id, { id: account_id }] of Object.entries({ a: account, b: account, c: other })) {
      await database
        .insertInto('sessions')
        .values({ id, account_id, ...members })
        .execute()
      await recordSignIn(database, account_id, 'client', clock())
    }
    expect((await resets.complete(await found(), 'new'))?.toSorted()).toEqual(['a', 'b'])
    const left = await database.selectFrom('sessions').select('id').execute()
    expect(left).toEqual([{ id: 'c' }])
    const isKnown = (key: string) => isKnownClient(database, key, 'client', clock())
    expect([await isKnown(account.email_key), await isKnown(other.email_key)]).toEqual([
      false,
      true,
    ])
  })

  test('is not set, and the token stays, if the account has changed since it was found', async () => {
    const reset = await found()
    await database
      .updateTable('accounts')
      .set({ version: account.version + 1 })
      .execute()
    const before = await current()
    expect(await resets.complete(reset, 'new')).toBeUndefined()
    expect(await current()).toEqual(before)
    expect(await rows()).toHaveLength(1)
  })

  test('is not set by a token that was used', async () => {
    const reset = await found()
    await database.deleteFrom('password_resets').execute()
    expect(await resets.complete(reset, 'new')).toBeUndefined()
    expect(await current()).toEqual(account)
  })
})

test('sweep removes expired tokens and no others', async () => {
  await mailed()
  const later = clock() + 15 * 60_000
  expect(await resets.sweep(later - 1)).toBe(0)
  expect(await resets.sweep(later)).toBe(1)
  expect(await rows()).toEqual([])
})
