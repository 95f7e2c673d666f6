import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { TestClient } from '../support/client.ts'
import { isAccepted, violations, type Operation } from '../support/history.ts'
import { record } from '../support/record-history.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** The number of long histories. Without it, two short ones. */
const SEEDS = process.env['SEEDS']
const OPERATIONS = SEEDS === undefined ? 200 : 300
const seeds = Array.from({ length: Number(SEEDS ?? 2) }, (_, index) => index + 1)

describe('many concurrent operations', () => {
  let server: TestServer
  let client: TestClient
  beforeAll(async () => {
    server = await startTestServer({
      config: {
        rateLimits: { login: 'off', signUp: 'off', clients: 'off', refresh: 'off' },
      },
    })
    client = await TestClient.registered(server.url)
  })
  afterAll(() => server.stop())

  const all: Operation[] = []
  test.each(seeds)(
    'have a consistent history, with the seed %d',
    async (seed) => {
      const history = await record(client, seed, OPERATIONS)
      expect(violations(history)).toEqual([])
      expect(server.logs.filter((line) => line.includes('"audit":"refresh_reused"'))).toEqual([])
      expect(history.length).toBeGreaterThan(OPERATIONS / 2)
      const overlapping = history.filter(({ start }, index) =>
        history.some((other, at) => at !== index && other.start < start && start < other.end),
      )
      expect(overlapping.length).toBeGreaterThan(OPERATIONS / 4)
      all.push(...history)
    },
    120_000,
  )

  test('include every kind of operation, successes and refusals', () => {
    const accepted = all.filter(isAccepted)
    for (const kind of ['use', 'refresh', 'login', 'logout', 'revoke', 'password']) {
      const count = accepted.filter((operation) => operation.kind === kind).length
      expect({ kind, isThere: count > 0 }).toEqual({ kind, isThere: true })
    }
    const generations = accepted.map(({ generation = 0 }) => generation)
    expect(Math.max(...generations)).toBeGreaterThan(0)
    const renewals = accepted.filter(({ kind }) => kind === 'refresh')
    const successors = new Set(renewals.map(({ gives }) => gives))
    expect(renewals.length).toBeGreaterThan(successors.size)
    expect(all.filter(({ error }) => error === 'invalid_grant').length).toBeGreaterThan(0)
    expect(all.filter(({ status }) => status === 401).length).toBeGreaterThan(10 * seeds.length)
  })
})

/** The times of a short operation. */
const at = (start: number) => ({ start, end: start + 1 })

/** A renewal in the session that the change of the password below leaves. */
const RENEWAL = { kind: 'refresh', account: 'ada', session: 'a2', generation: 1 } as const

describe('the checker', () => {
  const GOOD: readonly Operation[] = [
    {
      kind: 'login',
      account: 'ada',
      session: 'a1',
      password: 'p1',
      start: 0,
      end: 10,
      status: 201,
    },
    {
      kind: 'login',
      account: 'ada',
      session: 'a2',
      password: 'p1',
      start: 0,
      end: 20,
      status: 200,
    },
    {
      kind: 'login',
      account: 'bob',
      session: 'b1',
      password: 'q1',
      start: 5,
      end: 15,
      status: 200,
    },
    { kind: 'use', account: 'ada', session: 'a1', start: 30, end: 31, status: 200 },
    { kind: 'refresh', account: 'ada', session: 'a2', start: 30, end: 33, status: 200 },
    // In progress while the session ends: both answers are right.
    { kind: 'use', account: 'ada', session: 'a1', start: 40, end: 46, status: 200 },
    { kind: 'logout', account: 'ada', session: 'a1', start: 41, end: 45, status: 204 },
    { kind: 'use', account: 'ada', session: 'a1', start: 44, end: 47, status: 401 },
    { kind: 'use', account: 'ada', session: 'a1', start: 50, end: 51, status: 401 },
    // A sign-in during the change of the password may come before or after it.
    {
      kind: 'login',
      account: 'ada',
      session: 'a3',
      password: 'p1',
      start: 60,
      end: 66,
      status: 200,
    },
    {
      kind: 'login',
      account: 'ada',
      session: 'a4',
      password: 'p1',
      start: 60,
      end: 70,
      status: 200,
    },
    {
      kind: 'password',
      account: 'ada',
      session: 'a2',
      password: 'p1',
      start: 65,
      end: 75,
      status: 200,
    },
    // The session goes on with its new tokens, and the older ones are dead.
    { kind: 'use', account: 'ada', session: 'a2', generation: 1, start: 80, end: 81, status: 200 },
    { kind: 'use', account: 'ada', session: 'a2', start: 70, end: 76, status: 401 },
    { kind: 'use', account: 'ada', session: 'a2', start: 80, end: 81, status: 401 },
    { kind: 'revoke', account: 'ada', session: undefined, target: 'a2', ...at(82), status: 200 },
    // Two uses of one token have one successor, and the token is refused once that is used.
    { ...RENEWAL, token: 'r1', gives: 'r2', start: 82, end: 84, status: 200 },
    { ...RENEWAL, token: 'r1', gives: 'r2', start: 83, end: 86, status: 200 },
    { ...RENEWAL, token: 'r2', gives: 'r3', start: 87, end: 88, status: 200 },
    { ...RENEWAL, token: 'r1', start: 87, end: 89, status: 400, error: 'invalid_grant' },
    { kind: 'use', account: 'ada', session: 'a3', start: 80, end: 81, status: 401 },
    { kind: 'use', account: 'bob', session: 'b1', start: 80, end: 81, status: 200 },
    {
      kind: 'login',
      account: 'ada',
      session: undefined,
      password: 'p1',
      start: 80,
      end: 90,
      status: 401,
    },
    {
      kind: 'login',
      account: 'ada',
      session: 'a5',
      password: 'p2',
      start: 80,
      end: 90,
      status: 200,
    },
    {
      kind: 'revoke',
      account: 'ada',
      session: undefined,
      target: 'a5',
      start: 91,
      end: 92,
      status: 200,
    },
    {
      kind: 'refresh',
      account: 'ada',
      session: 'a5',
      start: 93,
      end: 94,
      status: 400,
      error: 'invalid_grant',
    },
  ]

  test('finds nothing in a consistent history', () => {
    expect(violations(GOOD)).toEqual([])
  })

  const use = { kind: 'use', account: 'ada', start: 200, end: 201, status: 200 } as const
  const bobs = { ...use, account: 'bob', session: 'b1' } as const
  const own = { ...use, session: 'a2', generation: 1 } as const
  test.each<[string, Operation[], RegExp]>([
    [
      'a use after a logout',
      [
        {
          ...use,
          account: 'bob',
          kind: 'logout',
          session: 'b1',
          start: 100,
          end: 110,
          status: 204,
        },
        { ...use, account: 'bob', session: 'b1' },
      ],
      /^use by b1 .* after logout by b1/,
    ],
    [
      'a renewal after a revocation',
      [{ ...use, kind: 'refresh', session: 'a5' }],
      /^refresh by a5 .* after revoke by nobody of a5/,
    ],
    [
      'a logout after a logout',
      [
        {
          ...use,
          account: 'bob',
          kind: 'logout',
          session: 'b1',
          start: 100,
          end: 110,
          status: 204,
        },
        { ...use, account: 'bob', kind: 'logout', session: 'b1', status: 204 },
      ],
      /^logout by b1 .* after logout by b1/,
    ],
    [
      'a use just after the session was ended from another',
      [
        { ...own, kind: 'endOne', target: 'a2', start: 100, end: 110, status: 204 },
        { ...own, start: 110.001 },
      ],
      /^use by a2 .* after endOne by a2 of a2/,
    ],
    [
      'a use after all others were ended',
      [
        { ...use, kind: 'login', session: 'a6', password: 'p2', start: 100, end: 110 },
        { ...own, kind: 'endOthers', start: 120, end: 130, status: 204 },
        { ...use, session: 'a6' },
      ],
      /^use by a6 .* after endOthers by a2/,
    ],
    [
      'another session after a change of password',
      [
        { ...use, kind: 'login', session: 'a6', password: 'p2', start: 100, end: 110 },
        { ...own, kind: 'password', password: 'p2', start: 120, end: 130 },
        { ...use, session: 'a6' },
      ],
      /^use by a6 .* after password by a2/,
    ],
    [
      'a session of a sign-in by the old password that the change overtook',
      [{ ...use, session: 'a4' }],
      /^use by a4 .* after password by a2/,
    ],
    [
      'a sign-in with a password that was changed',
      [{ ...use, kind: 'login', session: 'a6', password: 'p1' }],
      /^login by a6 .* after password by a2/,
    ],
    [
      'a token from before a change of the password, in the session that made it',
      [
        { ...bobs, kind: 'password', password: 'q1', start: 100, end: 110 },
        { ...bobs, generation: 1 },
        bobs,
      ],
      /^use by b1 .* after password by b1/,
    ],
    [
      'a renewal with one',
      [
        { ...bobs, kind: 'password', password: 'q1', start: 100, end: 110 },
        { ...bobs, kind: 'refresh', token: 'r0', gives: 'r9' },
      ],
      /^refresh by b1 .* after password by b1/,
    ],
    [
      'a use after a revocation by a token of the same generation',
      [
        { ...own, kind: 'revoke', session: undefined, target: 'a2', start: 100, end: 110 },
        { ...own, start: 120 },
      ],
      /^use by a2 .* after revoke by nobody of a2/,
    ],
    [
      'siblings',
      [
        { ...own, kind: 'refresh', token: 'r3', gives: 'r4' },
        { ...own, kind: 'refresh', token: 'r3', gives: 'r5' },
      ],
      /^refresh by a2 .* and refresh by a2 .* gave two successors of one token/,
    ],
    [
      'a token that gives its successor though that was used',
      [{ ...own, kind: 'refresh', token: 'r1', gives: 'r2' }],
      /^refresh by a2 .* after refresh by a2/,
    ],
    [
      'a refused renewal whose successor was not used',
      [{ ...own, kind: 'refresh', token: 'r2', status: 400, error: 'invalid_grant' }],
      /^refresh by a2 .* was refused without a cause/,
    ],
    [
      'a refusal for an ending that was refused itself',
      [
        {
          ...use,
          account: 'bob',
          kind: 'logout',
          session: 'b1',
          start: 100,
          end: 110,
          status: 401,
        },
      ],
      /^logout by b1 .* was refused without a cause/,
    ],
    [
      'a fault of the server',
      [{ ...own, status: 503, error: 'temporarily_unavailable' }],
      /^use by a2 .*: a fault of the server/,
    ],
    [
      'a refusal that nothing explains',
      [{ ...use, account: 'bob', session: 'b1', status: 401 }],
      /^use by b1 .* was refused without a cause/,
    ],
    [
      'a refused renewal that nothing explains',
      [{ ...own, kind: 'refresh', status: 400, error: 'invalid_grant' }],
      /^refresh by a2 .* was refused without a cause/,
    ],
  ])('finds %s', (_, bad, expected) => {
    expect(violations([...GOOD, ...bad])).toEqual([expect.stringMatching(expected)])
  })
})
