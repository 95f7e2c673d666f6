import { createHash, scryptSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { scryptPassword } from '../../client/scrypt-password.ts'
import { clientOf, codeOf, startServer } from '../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../support/client.ts'
import type { TestServer } from '../support/server.ts'

/** A cheap cost for tests that are not about strength: the real one takes a second. */
const CHEAP = { N: 2, r: 1, p: 1, dkLen: 32 }
const issuer = 'https://auth.test'
/** Eight characters: composed, with one outside the BMP. */
const password = 'caf\u00e9 \u{1f511}ab'
const address = 'zo\u00eb@mail.test'

/** The same with node:crypto. */
const reference = (
  password: string,
  address: string,
  issuer: string,
  cost: { N: number; r: number; p: number } = CHEAP,
) =>
  scryptSync(password, `jwe-auth-server password 1\n${issuer}\n${address}`, 32, {
    ...cost,
    maxmem: 64 * 1024 * 1024,
  }).toString('base64url')

test.each([
  ['as typed', password, address, issuer],
  [
    'decomposed, and in capitals',
    password.normalize('NFD'),
    'ZO\u00cb@Mail.test'.normalize('NFD'),
    issuer,
  ],
  ['for another server', password, address, 'https://other.test'],
])(
  'derives scrypt of the normalized password and address: %s',
  async (_name, typed, where, issuer) => {
    expect(await scryptPassword({ issuer }, CHEAP)(typed, where, false)).toBe(
      reference(password, address, issuer),
    )
  },
)

test('by default takes 32 MiB and three passes', async () => {
  expect(await scryptPassword({ issuer })(password, address, false)).toBe(
    reference(password, address, issuer, { N: 32_768, r: 8, p: 3 }),
  )
})

test('the reference gives another result for another password, address or issuer', () => {
  const all = [
    reference(password, address, issuer),
    reference(password.toUpperCase(), address, issuer),
    reference(`${password} `, address, issuer),
    reference(password, 'another@mail.test', issuer),
    reference(password, address, 'https://other.test'),
  ]
  expect(new Set(all).size).toBe(all.length)
})

describe('refuses a new password that is too short:', () => {
  test.each([
    ['', 8],
    ['1234567', 8],
    // Characters are counted as on the server, not UTF-16 units or combining marks.
    ['\u{1f511}'.repeat(7), 8],
    ['e\u0301'.repeat(7), 8],
    ['12345678901234', 15],
  ])('%j of at least %i', async (short, minLength) => {
    const derive = scryptPassword({ issuer, minLength }, CHEAP)
    expect(await codeOf(derive(short, address, true))).toBe('weak_password')
    // An existing password is not judged here.
    expect(await derive(short, address, false)).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })
})

test.each([
  ['password', '\u0300'.repeat(513), address],
  ['address', password, '\u0300'.repeat(255)],
])('a %s that is too long is refused before it is normalized', async (_, typed, where) => {
  const normalize = jest.spyOn(String.prototype, 'normalize')
  for (const isNew of [true, false]) {
    expect(await codeOf(scryptPassword({ issuer })(typed, where, isNew))).toBe('invalid_request')
  }
  expect(normalize).not.toHaveBeenCalled()
  normalize.mockRestore()
})

describe('with a server', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.stop())

  test('signs up and in, whatever the case of the address', async () => {
    const derivePassword = scryptPassword({ issuer: server.config.issuer }, CHEAP)
    const { client, wire } = clientOf(server, { derivePassword })
    const email = someEmail()
    await client.signUp({ email, password: GOOD_PASSWORD })
    await client.signIn({ email: email.toUpperCase(), password: GOOD_PASSWORD })
    const bodies = await Promise.all(wire.sent.map(({ request }) => request.text()))
    expect(bodies.join('\n')).not.toContain(GOOD_PASSWORD)
    expect(await codeOf(client.signUp({ email: someEmail(), password: 'short' }))).toBe(
      'weak_password',
    )
  })

  test('passes isNew for a password that is being set, and not for one in use', async () => {
    const derived: [string, boolean][] = []
    const derivePassword = (password: string, _address: string, isNew: boolean) => {
      derived.push([password, isNew])
      return Promise.resolve(password)
    }
    const { client } = clientOf(server, { derivePassword })
    const [first, second] = [GOOD_PASSWORD, 'another brick in the wall']
    const email = someEmail()
    await client.signUp({ email, password: first })
    await client.signIn({ email, password: first })
    await client.account.changePassword(first, second)
    await client.account.remove(second)
    expect(derived).toEqual([
      [first, true],
      [first, false],
      [first, false],
      [second, true],
      [second, false],
    ])
  })

  test('sends only derived passwords', async () => {
    const derivePassword = (password: string, address: string) =>
      Promise.resolve(createHash('sha256').update(`${password} ${address}`).digest('base64url'))
    const { client, wire } = clientOf(server, { derivePassword })
    const email = someEmail()
    const [first, second] = [GOOD_PASSWORD, 'another brick in the wall']
    await client.signUp({ email, password: first })
    await client.account.changePassword(first, second)
    await client.signIn({ email, password: second })
    const plain = clientOf(server).client
    expect(await codeOf(plain.signIn({ email, password: second }))).toBe('invalid_grant')
    await client.account.remove(second)
    const bodies = await Promise.all(wire.sent.map(({ request }) => request.text()))
    expect(bodies.join('\n')).not.toMatch(/winding|brick/)
  })
})
