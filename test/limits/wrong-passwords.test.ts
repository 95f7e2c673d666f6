import { beforeEach, describe, expect, test } from '@jest/globals'
import { TooManyTries } from '../../server/errors/too-many-tries.ts'
import { failuresInMemory } from '../../server/limits/failure-store.ts'
import {
  createWrongPasswords,
  type Guesser,
  type WrongPasswords,
} from '../../server/limits/wrong-passwords.ts'
import { createClock, type TestClock } from '../support/clock.ts'

const DAY = 86_400
const QUARTER = 900

let clock: TestClock
let passwords: WrongPasswords
beforeEach(() => {
  clock = createClock()
  passwords = createWrongPasswords(clock, failuresInMemory())
})

const KNOWN: Guesser = { account: 'ada@mail.test', source: { knownClient: 'phone' } }
const strangerAt = (address: string, account = KNOWN.account): Guesser => ({
  account,
  source: { address },
})
const STRANGER = strangerAt('192.0.2.1')
let addresses = 0
/** A stranger whom nobody has seen before. */
const anyStranger = () => strangerAt(`host ${++addresses}`)

/** Seconds to wait, or 0 if the password was checked. */
async function tryWith(isRight: () => Promise<boolean>, guesser = STRANGER): Promise<number> {
  try {
    await passwords.check(guesser, isRight)
    return 0
  } catch (error) {
    if (!(error instanceof TooManyTries)) throw error
    expect(error.limit).toBe('wrong_passwords')
    return error.retryAfter
  }
}
const fail = (guesser?: Guesser) => tryWith(() => Promise.resolve(false), guesser)
const succeed = (guesser?: Guesser) => tryWith(() => Promise.resolve(true), guesser)

/** Fails five times, and expects that these are free. */
async function failFive(guesser?: Guesser): Promise<void> {
  for (let i = 0; i < 5; i++) expect(await fail(guesser)).toBe(0)
}
/** Fails so many times, each time from another address. */
async function strangersFail(times: number): Promise<void> {
  for (let i = 0; i < times; i++) expect(await fail(anyStranger())).toBe(0)
}

describe.each([
  ['a known client', KNOWN],
  ['an unknown client', STRANGER],
])('for %s', (_, guesser) => {
  test('five failures are free, then each further try waits twice as long, up to 15 minutes', async () => {
    await failFive(guesser)
    const waits = []
    for (let i = 0; i < 13; i++) {
      const wait = await fail(guesser)
      waits.push(wait)
      clock.advance(wait)
      expect(await fail(guesser)).toBe(0)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900])
  })

  test('the right password has to wait, too', async () => {
    await failFive(guesser)
    expect(await succeed(guesser)).toBe(1)
    clock.advance(1)
    expect(await succeed(guesser)).toBe(0)
  })

  test('a try during the wait is not checked, and does not prolong the wait', async () => {
    await failFive(guesser)
    clock.advance(0.75)
    for (let i = 0; i < 10; i++) {
      const wait = tryWith(() => Promise.reject(new Error('checked')), guesser)
      expect(await wait).toBe(0.25)
    }
    clock.advance(0.25)
    expect(await fail(guesser)).toBe(0)
    expect(await fail(guesser)).toBe(2)
  })

  test('a success forgets the failures', async () => {
    for (let i = 0; i < 3; i++) {
      for (let n = 0; n < 4; n++) await fail(guesser)
      expect(await succeed(guesser)).toBe(0)
    }
    await failFive(guesser)
  })

  test('failures are forgotten after a day without one', async () => {
    await failFive(guesser)
    clock.advance(DAY - 1)
    expect(await fail(guesser)).toBe(0)
    expect(await fail(guesser)).toBe(2)
    clock.advance(DAY)
    await failFive(guesser)
  })

  test('of a hundred tries at once, five are checked', async () => {
    const waits = await Promise.all(Array.from({ length: 100 }, () => fail(guesser)))
    expect(waits.filter((wait) => wait === 0)).toHaveLength(5)
    expect(await fail(guesser)).toBe(1)
  })

  test('a try that could not be checked does not count', async () => {
    const unavailable = () => Promise.reject(new Error('unavailable'))
    for (let i = 0; i < 20; i++) {
      await expect(tryWith(unavailable, guesser)).rejects.toThrow('unavailable')
    }
    await failFive(guesser)
    clock.advance(1)
    // It neither lengthens the wait nor starts it again.
    await expect(tryWith(unavailable, guesser)).rejects.toThrow('unavailable')
    expect(await fail(guesser)).toBe(0)
    expect(await fail(guesser)).toBe(2)
  })

  test('running tries count until they end', async () => {
    const ends: ((isRight: boolean) => void)[] = []
    const pending = () => new Promise<boolean>((resolve) => ends.push(resolve))
    const tries = Array.from({ length: 5 }, () => tryWith(pending, guesser))
    expect(await fail(guesser)).toBe(1)
    clock.advance(1)
    // The wait is over, so a sixth may begin, and it counts, too.
    tries.push(tryWith(pending, guesser))
    expect(await fail(guesser)).toBe(2)
    ends[0]!(true)
    await tries[0]
    // Five are still running: as many as are free.
    expect(await fail(guesser)).toBe(1)
    for (const end of ends) end(false)
    expect(await Promise.all(tries)).toEqual(Array(6).fill(0))
    expect(await fail(guesser)).toBe(1)
  })
})

describe('failures are counted', () => {
  test('for each known client separately', async () => {
    await failFive(KNOWN)
    expect(await fail({ ...KNOWN, source: { knownClient: 'laptop' } })).toBe(0)
    expect(await fail(STRANGER)).toBe(0)
  })

  test('for each address separately', async () => {
    await failFive(STRANGER)
    expect(await fail(strangerAt('192.0.2.2'))).toBe(0)
    expect(await fail(KNOWN)).toBe(0)
  })

  test('for each account separately', async () => {
    await failFive(STRANGER)
    expect(await fail(strangerAt('192.0.2.1', 'eve@mail.test'))).toBe(0)
  })

  test('under keys that a chosen client id, address or account cannot imitate', async () => {
    await failFive(strangerAt('phone'))
    expect(await fail(KNOWN)).toBe(0)
    await failFive({ account: '["ada@mail.test",{"address":"x"}]', source: { address: '' } })
    expect(await fail(strangerAt('x'))).toBe(0)
  })
})

describe('a hundred consecutive failures of unknown clients', () => {
  test('leave them one try every 15 minutes, at whatever address', async () => {
    await strangersFail(100)
    expect(await fail(anyStranger())).toBe(QUARTER)
    for (let i = 0; i < 3; i++) {
      clock.advance(QUARTER - 1)
      expect(await succeed(anyStranger())).toBe(1)
      clock.advance(1)
      expect(await fail(anyStranger())).toBe(0)
      expect(await fail(anyStranger())).toBe(QUARTER)
    }
  })

  test('can come at once, and no more than a hundred are checked', async () => {
    const waits = await Promise.all(Array.from({ length: 150 }, () => fail(anyStranger())))
    expect(waits.filter((wait) => wait === 0)).toHaveLength(100)
  })

  test('lock out no known client, and no other account', async () => {
    await strangersFail(100)
    expect(await fail(KNOWN)).toBe(0)
    expect(await fail(strangerAt('192.0.2.1', 'eve@mail.test'))).toBe(0)
  })

  test('do not include those of known clients', async () => {
    for (let i = 0; i < 100; i++) {
      await fail({ ...KNOWN, source: { knownClient: `client ${i}` } })
    }
    expect(await fail(anyStranger())).toBe(0)
  })

  test('start from zero after a success', async () => {
    await strangersFail(99)
    expect(await succeed(anyStranger())).toBe(0)
    await strangersFail(100)
    expect(await fail(anyStranger())).toBe(QUARTER)
  })

  test('are not forgotten after a success of an unknown client, which uses the one try', async () => {
    await strangersFail(100)
    clock.advance(QUARTER)
    expect(await succeed(anyStranger())).toBe(0)
    expect(await fail(anyStranger())).toBe(QUARTER)
  })

  test('are forgotten after a success of a known client', async () => {
    await strangersFail(100)
    expect(await succeed(KNOWN)).toBe(0)
    await strangersFail(100)
  })

  test('are not forgotten after a failure of a known client', async () => {
    await strangersFail(100)
    await fail(KNOWN)
    expect(await fail(anyStranger())).toBe(QUARTER)
  })

  test('are forgotten after a completed reset of this account, but not of another', async () => {
    await strangersFail(100)
    await passwords.forgive('eve@mail.test')
    expect(await fail(anyStranger())).toBe(QUARTER)
    await passwords.forgive(KNOWN.account)
    await strangersFail(100)
  })

  test('leave the one try unused if the password could not be checked', async () => {
    const unavailable = () => Promise.reject(new Error('unavailable'))
    await strangersFail(100)
    clock.advance(QUARTER)
    for (let i = 0; i < 3; i++) await expect(tryWith(unavailable, anyStranger())).rejects.toThrow()
    expect(await fail(anyStranger())).toBe(0)
  })

  test('make an unknown client wait for the longer of both waits', async () => {
    for (let i = 0; i < 6; i++) {
      clock.advance(1)
      await fail(STRANGER)
    }
    await strangersFail(94)
    expect(await fail(STRANGER)).toBe(QUARTER)
    clock.advance(QUARTER)
    expect(await fail(STRANGER)).toBe(0)
  })
})

test('two servers in one process count separately', async () => {
  await failFive()
  passwords = createWrongPasswords(clock, failuresInMemory())
  expect(await fail()).toBe(0)
})

test('nothing is counted if sign-ins are not limited', async () => {
  passwords = createWrongPasswords(clock, failuresInMemory(), 'off')
  for (let i = 0; i < 200; i++) expect(await fail()).toBe(0)
  await passwords.forgive(KNOWN.account)
})
