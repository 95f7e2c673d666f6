/** A machine whose clock is wrong. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import { clientOf, codeOf, signedUp, startServer, storedSession } from '../support/auth-client.ts'
import type { TestServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ requestBinding: 'required' })
})
afterAll(() => server.stop())

describe.each([
  ['ten minutes ahead', 600],
  ['ten minutes behind', -600],
  ['a year behind', -31_536_000],
])('a clock that is %s', (_name, offset) => {
  const clock = () => server.clock() + offset * 1000

  test('signs in, sends bound requests, renews in time and resumes', async () => {
    const party = await signedUp(server, { clock })
    const { client, wire, store } = party
    const status = async () => (await client.fetch('/account')).status
    expect(await status()).toBe(200)
    const sealed = wire.sent.at(-1)!.request.headers.get('authorization')!.slice(7)
    expect(decodeProtectedHeader(sealed)['req']).toMatchObject({
      iat: Math.floor(server.clock() / 1000),
    })
    expect((await storedSession(store))?.['clock_offset']).toBe(-offset)
    const { jws } = await client.accessToken()
    expect(await client.verify(jws)).toBeDefined()
    server.clock.advance(server.config.accessTokenTtl - 11)
    expect(await status()).toBe(200)
    expect(wire.count('POST /token')).toBe(0)
    server.clock.advance(1)
    expect(await status()).toBe(200)
    expect(wire.count('POST /token')).toBe(1)
    server.clock.advance(10)
    expect(await codeOf(client.verify(jws))).toBe('token_expired')
    const restarted = clientOf(server, { store, clock })
    expect((await restarted.client.resume())?.account?.email).toBe(party.email)
    expect(restarted.wire.count('POST /token')).toBe(0)
  })
})

test.each([5, -5])('a clock that is %i s off is left as it is', async (offset) => {
  const { store } = await signedUp(server, { clock: () => server.clock() + offset * 1000 })
  expect((await storedSession(store))?.['clock_offset']).toBe(0)
})

test('a clock that is put right while a session is alive is learned with the next token', async () => {
  let wrong = 600_000
  const clock = () => server.clock() + wrong
  const { client, store } = await signedUp(server, { clock })
  wrong = 0
  // As if it were ten minutes ago: the binding is refused, the token renewed, the clock set by it.
  expect((await client.fetch('/account')).status).toBe(200)
  expect((await storedSession(store))?.['clock_offset']).toBe(0)
})

test('a token from the future is none', async () => {
  const { client } = await signedUp(server)
  const { jws } = await client.accessToken()
  const behind = clientOf(server, { clock: () => server.clock() - 6000 })
  await behind.client.register()
  const own = await signedUp(server, { store: behind.store, clock: server.clock })
  const { jws: ownJws } = await own.client.accessToken()
  expect(await codeOf(behind.client.verify(ownJws))).toBe('token_invalid')
  expect(await codeOf(behind.client.verify(jws))).toBe('token_invalid')
})
