/** A device whose clock is wrong. */
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

  test('the client signs in, sends bound requests, renews in time and resumes', async () => {
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

test.each([5, -5])('a clock that is %i s off is not corrected', async (offset) => {
  const { store } = await signedUp(server, { clock: () => server.clock() + offset * 1000 })
  expect((await storedSession(store))?.['clock_offset']).toBe(0)
})

describe('a clock that is corrected during a session', () => {
  /** Somebody whose clock was ten minutes ahead at sign-up, and is right now. */
  async function putRight() {
    let wrong = 600_000
    const party = await signedUp(server, { clock: () => server.clock() + wrong })
    wrong = 0
    party.wire.sent.length = 0
    return party
  }

  test("costs one retry, bound with the server's time", async () => {
    const { client, wire } = await putRight()
    const body = JSON.stringify({ name: 'Ada' })
    const headers = { 'content-type': 'application/json' }
    const response = await client.fetch('/account', { method: 'PATCH', headers, body })
    expect(response.status).toBe(200)
    expect(wire.count('POST /token')).toBe(0)
    const tries = wire.sent.filter(({ line }) => line === 'PATCH /account')
    const bindings = tries.map(({ request }) => {
      const sealed = request.headers.get('authorization')!.slice(7)
      return decodeProtectedHeader(sealed)['req'] as Record<string, unknown>
    })
    const now = Math.floor(server.clock() / 1000)
    expect(bindings.map(({ iat }) => iat)).toEqual([now - 600, now])
    expect(bindings[0]!['jti']).not.toBe(bindings[1]!['jti'])
  })

  test('is noticed at the next renewal', async () => {
    const { client, wire, store } = await putRight()
    await client.refresh()
    expect((await storedSession(store))?.['clock_offset']).toBe(0)
    expect((await client.fetch('/account')).status).toBe(200)
    expect(wire.count('GET /account')).toBe(1)
  })

  test.each([
    ['no date', undefined],
    ['an invalid date', 'half past nine'],
    ['a date that matches the stored offset', (now: number) => new Date(now - 600_000)],
  ])('is noticed by renewing if the 401 has %s', async (_name, date) => {
    const { client, wire, store } = await putRight()
    wire.on('GET /account', async (request, send) => {
      const response = await send(request)
      const headers = new Headers(response.headers)
      headers.delete('date')
      if (date !== undefined) {
        headers.set('date', typeof date === 'string' ? date : date(server.clock()).toUTCString())
      }
      return new Response(response.body, { status: response.status, headers })
    })
    expect((await client.fetch('/account')).status).toBe(200)
    expect(wire.count('GET /account')).toBe(2)
    // The first renewal was refused, and its answer gave the time.
    expect(wire.count('POST /token')).toBe(2)
    expect((await storedSession(store))?.['clock_offset']).toBe(0)
  })

  test('is noticed by renewing if the 401 gives a wrong time', async () => {
    const { client, wire, store } = await putRight()
    wire.on('GET /account', async (request, send) => {
      const response = await send(request)
      const headers = new Headers(response.headers)
      headers.set('date', new Date(0).toUTCString())
      return new Response(response.body, { status: response.status, headers })
    })
    expect((await client.fetch('/account')).status).toBe(200)
    expect(wire.count('GET /account')).toBe(3)
    expect((await storedSession(store))?.['clock_offset']).toBe(0)
  })
})

test('a token that is refused for another reason is not retried for its time', async () => {
  const { client, wire } = await signedUp(server)
  await server.database.deleteFrom('sessions').execute()
  expect(await codeOf(client.fetch('/account'))).toBe('session_ended')
  expect(wire.count('GET /account')).toBe(1)
})

test('a token issued in the future is refused', async () => {
  const { client } = await signedUp(server)
  const { jws } = await client.accessToken()
  const behind = clientOf(server, { clock: () => server.clock() - 6000 })
  await behind.client.register()
  const own = await signedUp(server, { store: behind.store, clock: server.clock })
  const { jws: ownJws } = await own.client.accessToken()
  expect(await codeOf(behind.client.verify(ownJws))).toBe('token_invalid')
  expect(await codeOf(behind.client.verify(jws))).toBe('token_invalid')
})
