/** The limits that several servers share: here, two stores on one database. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { openPostgres } from '../../../server/features/postgres/open-postgres.ts'
import type { Database } from '../../../server/database/open.ts'
import { sharedDatabase } from '../../../server/features/postgres/shared-tables.ts'
import { TooManyTries } from '../../../server/errors/too-many-tries.ts'
import { createSharedReplayCache } from '../../../server/features/postgres/shared-replay-cache.ts'
import type { LimitStore } from '../../../server/limits/limit-store.ts'
import { createSharedLimits, sweepShared } from '../../../server/features/postgres/shared-limits.ts'
import type { ReplayCache } from '../../../server/limits/replay-cache.ts'
import { createRateLimits } from '../../../server/limits/rate-limits.ts'
import { createWrongPasswords, type Guesser } from '../../../server/limits/wrong-passwords.ts'
import { createClock, type TestClock } from '../../support/clock.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import { createDatabase, startPostgres, type PostgresServer } from '../../support/postgres.ts'

const DAY = 86_400
const POOL = { poolSize: 5, timeout: 5000 }

describePostgres('two servers that share a database', () => {
  let server: PostgresServer
  let databases: Database[]
  let one: LimitStore
  let two: LimitStore
  let replays: Map<LimitStore, ReplayCache>
  let clock: TestClock
  beforeAll(async () => {
    server = await startPostgres()
  })
  beforeEach(async () => {
    const url = await createDatabase(server.url)
    const opened = [await openPostgres(url, POOL), await openPostgres(url, POOL)]
    databases = opened.map(({ database }) => database)
    ;[one, two] = opened.map(({ limitStore }) => limitStore) as [LimitStore, LimitStore]
    replays = new Map([one, two].map((store) => [store, store.createReplayCache()]))
    clock = createClock()
  })
  afterEach(async () => {
    await Promise.all(databases.map((db) => db.destroy()))
  })
  afterAll(() => server.remove())

  const sweep = (now: number) => sweepShared(sharedDatabase(databases[1]!), now)
  const rows = async (table: 'replays' | 'rate_limits' | 'wrong_passwords') =>
    (await sharedDatabase(databases[0]!).selectFrom(table).selectAll().execute()).length

  describe('remember bound requests together', () => {
    const remember = (store: LimitStore, id: string, madeAt = clock()) =>
      replays.get(store)!.remember(id, clock(), 'ada', madeAt)

    test('each of many at once is new once in total', async () => {
      const ids = Array.from({ length: 40 }, (_, index) => `id ${index}`)
      const answers = await Promise.all(
        [...ids, ...ids].flatMap((id) => [remember(one, id), remember(two, id)]),
      )
      expect(answers.filter((answer) => answer === 'new')).toHaveLength(ids.length)
      expect(answers.filter((answer) => answer === 'seen')).toHaveLength(3 * ids.length)
    })

    test('until they are no longer accepted, then they are swept', async () => {
      await remember(one, 'id')
      clock.advance(120)
      expect([await sweep(clock()), await remember(two, 'id')]).toEqual([0, 'seen'])
      clock.advance(1)
      expect([await sweep(clock()), await rows('replays')]).toEqual([1, 0])
    })

    test('those bound before the database crashed are refused', async () => {
      clock.advance(0.25)
      await remember(one, 'id')
      const before = clock()
      await server.crash()
      await server.start()
      // The first query of each may still meet a connection that the crash has cut.
      await Promise.allSettled([remember(one, 'meanwhile', 0), remember(two, 'meanwhile', 0)])
      clock.advance(0.5)
      expect(await remember(two, 'id', before)).toBe('forgotten')
      expect(await remember(one, 'other', before)).toBe('forgotten')
      clock.advance(1)
      expect(await remember(one, 'later')).toBe('new')
      expect(await remember(two, 'later')).toBe('seen')
    })

    test('those bound before an epoch begins are refused only once it has begun', async () => {
      const db = sharedDatabase(databases[0]!)
      await db.deleteFrom('replay_epoch').execute()
      // Real time, because the refusal waits for it.
      const begunAt = Math.ceil(Date.now() / 1000) * 1000
      const cache = createSharedReplayCache(db)
      expect(await cache.remember('id', Date.now(), 'account', begunAt - 1000)).toBe('forgotten')
      expect(Date.now()).toBeGreaterThanOrEqual(begunAt - 1)
      const madeNow = Math.floor((Date.now() + 1) / 1000) * 1000
      expect(await cache.remember('again', Date.now(), 'account', madeNow)).toBe('new')
      await db.updateTable('replay_epoch').set({ begun_at: 0 }).execute()
    })

    test('those bound before a server started are accepted', async () => {
      const late = createSharedLimits(sharedDatabase(databases[1]!))
      replays.set(late, late.createReplayCache())
      expect(await remember(late, 'id', clock() - 59_000)).toBe('new')
    })

    test('each account has a share of what one server may add', async () => {
      const cache = createSharedReplayCache(sharedDatabase(databases[0]!), 16)
      const answerTo = (id: number, account: string) =>
        cache.remember(`${account} ${id}`, clock(), account, clock())
      const answers = []
      for (let id = 0; id < 3; id++) answers.push(await answerTo(id, 'greedy'))
      expect(answers).toEqual(['new', 'new', 'account_full'])
      for (let id = 0; id < 14; id++) expect(await answerTo(id, `other ${id}`)).toBe('new')
      expect(await answerTo(0, 'last')).toBe('full')
      clock.advance(121)
      expect(await answerTo(0, 'last')).toBe('new')
    })
  })

  describe('count requests together', () => {
    const limits = (store: LimitStore) =>
      createRateLimits(
        { login: { count: 3, duration: 60 }, signUp: { count: 1, duration: 60 } },
        store.createLimiter,
      )
    const outcomes = async (tries: Promise<void>[]) =>
      (await Promise.allSettled(tries)).map(({ status }) => status)

    test('the limit holds in total, and each action is counted separately', async () => {
      const tries = [one, two, one, two, one].map((store) =>
        limits(store).consume('login', 'address', 'a'),
      )
      const settled = await outcomes(tries)
      expect(settled.filter((status) => status === 'fulfilled')).toHaveLength(3)
      await limits(one).consume('signUp', 'address', 'a')
      const refused = await limits(two)
        .consume('signUp', 'address', 'a')
        .catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(TooManyTries)
      expect((refused as TooManyTries).retryAfter).toBeLessThanOrEqual(60)
      expect((refused as TooManyTries).retryAfter).toBeGreaterThan(50)
    })

    test('until the window ends, then the row is swept', async () => {
      await limits(one).consume('login', 'address', 'a')
      expect([await sweep(Date.now()), await rows('rate_limits')]).toEqual([0, 1])
      expect([await sweep(Date.now() + 61_000), await rows('rate_limits')]).toEqual([1, 0])
    })
  })

  describe('count wrong passwords together', () => {
    const KNOWN: Guesser = { account: 'ada', source: { knownClient: 'phone' } }
    const strangerAt = (address: string): Guesser => ({ account: 'ada', source: { address } })
    async function tryAt(store: LimitStore, isRight: boolean, guesser = KNOWN): Promise<number> {
      const passwords = createWrongPasswords(clock, store.changeFailures)
      try {
        await passwords.check(guesser, () => Promise.resolve(isRight))
        return 0
      } catch (error) {
        if (!(error instanceof TooManyTries)) throw error
        return error.retryAfter
      }
    }

    test('five are free in total, at whichever server', async () => {
      for (const store of [one, two, one, two, one]) expect(await tryAt(store, false)).toBe(0)
      expect(await tryAt(two, true)).toBe(1)
      clock.advance(1)
      expect(await tryAt(one, false)).toBe(0)
      expect(await tryAt(two, false)).toBe(2)
      clock.advance(2)
      expect(await tryAt(two, true)).toBe(0)
      expect(await rows('wrong_passwords')).toBe(0)
    })

    test('of a hundred at once, at most six are checked', async () => {
      const waits = await Promise.all(
        Array.from({ length: 100 }, (_, index) => tryAt(index % 2 === 0 ? one : two, false)),
      )
      expect(waits.filter((wait) => wait === 0).length).toBeLessThanOrEqual(6)
      expect(await tryAt(one, true)).toBeGreaterThan(0)
    })

    test('after a hundred, unknown clients share one try every 15 minutes, at whichever server', async () => {
      for (let i = 0; i < 100; i++) {
        expect(await tryAt(i % 2 === 0 ? one : two, false, strangerAt(`host ${i}`))).toBe(0)
      }
      expect(await tryAt(two, true, strangerAt('host x'))).toBe(900)
      expect(await tryAt(one, true)).toBe(0)
      expect(await tryAt(two, true, strangerAt('host x'))).toBe(0)
    })

    test('a try of a server that was killed is forgotten after a minute', async () => {
      const passwords = createWrongPasswords(clock, one.changeFailures)
      for (let i = 0; i < 5; i++) {
        await new Promise<void>((begun) => {
          const never = () => {
            begun()
            return new Promise<never>(() => undefined)
          }
          void passwords.check(KNOWN, never)
        })
      }
      expect(await tryAt(two, true)).toBeGreaterThan(0)
      clock.advance(60)
      expect(await tryAt(two, false)).toBe(0)
      expect(await tryAt(two, false)).toBe(0)
    })

    test('they are swept after a day', async () => {
      await tryAt(one, false, strangerAt('host'))
      clock.advance(DAY - 1)
      expect([await sweep(clock()), await rows('wrong_passwords')]).toEqual([0, 2])
      clock.advance(1)
      expect([await sweep(clock()), await rows('wrong_passwords')]).toEqual([2, 0])
    })
  })

  test('while the database is away, whatever must be counted is unavailable', async () => {
    await server.stop()
    const unavailable = { name: 'UnavailableError' }
    const limits = createRateLimits({ login: { count: 3, duration: 60 } }, one.createLimiter)
    await expect(limits.consume('login', 'address', 'a')).rejects.toMatchObject(unavailable)
    const remembered = replays.get(one)!.remember('a', clock(), 'ada', clock())
    await expect(remembered).rejects.toMatchObject(unavailable)
    const passwords = createWrongPasswords(clock, one.changeFailures)
    const guesser: Guesser = { account: 'ada', source: { knownClient: 'phone' } }
    const check = passwords.check(guesser, () => Promise.resolve(true))
    await expect(check).rejects.toMatchObject(unavailable)
    await server.start()
    await limits.consume('login', 'address', 'a')
  })
})
