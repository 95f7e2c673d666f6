/** The key agreements that a signed-in client makes, as seen by its server. */
import { afterEach, expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import {
  clientOf,
  rotatingKeystore,
  signedUp,
  startServer,
  type Wire,
} from '../support/auth-client.ts'
import { GOOD_PASSWORD } from '../support/client.ts'
import type { TestServer } from '../support/server.ts'

const running: TestServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
})

async function setUp() {
  const keys = await rotatingKeystore()
  const server = await startServer({}, { keystore: keys.keystore })
  running.push(server)
  return { keys, server, ...(await signedUp(server)) }
}

/** The headers of all the tokens that a client has sent, in order. */
async function headersOf({ sent }: Wire) {
  const tokens = await Promise.all(
    sent.map(async ({ request, line }) => {
      const authorization = request.headers.get('authorization')
      if (authorization !== null) return authorization.slice('Bearer '.length)
      if (line !== 'POST /token' && line !== 'POST /revoke') return undefined
      const { refresh_token, token } = (await request.clone().json()) as Record<string, string>
      return refresh_token ?? token
    }),
  )
  return tokens.filter((token) => token !== undefined).map((token) => decodeProtectedHeader(token))
}
/** Equal numbers stand for equal ephemeral keys. */
async function epksOf(wire: Wire): Promise<number[]> {
  const epks = (await headersOf(wire)).map(({ epk }) => JSON.stringify(epk))
  return epks.map((epk) => epks.indexOf(epk))
}

test('requests, concurrent or not, and a refresh share one agreement for five minutes', async () => {
  const { client, wire, server } = await setUp()
  const statuses = await Promise.all(
    [1, 2, 3].map(async () => (await client.fetch('/account')).status),
  )
  expect(statuses).toEqual([200, 200, 200])
  await client.refresh()
  server.clock.advance(299)
  expect((await client.fetch('/account')).status).toBe(200)
  expect(await epksOf(wire)).toEqual([0, 0, 0, 0, 0])
  server.clock.advance(1)
  expect((await client.fetch('/account')).status).toBe(200)
  expect(await epksOf(wire)).toEqual([0, 0, 0, 0, 0, 5])
})

test('a rotated server key gets a new agreement', async () => {
  const { client, wire, keys, server } = await setUp()
  await client.fetch('/account')
  await keys.rotate()
  server.clock.advance(200)
  await client.fetch('/account')
  // The keys are fetched again.
  server.clock.advance(100)
  await client.fetch('/account')
  const kids = (await headersOf(wire)).map(({ kid }) => kid)
  expect(kids[2]).toBe(keys.keystore.encryptionKey.kid)
  expect(kids[2]).not.toBe(kids[1])
  expect(await epksOf(wire)).toEqual([0, 0, 2])
})

test('a new session and another installation each get their own agreement', async () => {
  const { client, wire, email, server } = await setUp()
  await client.fetch('/account')
  await client.signOut()
  await client.signIn({ email, password: GOOD_PASSWORD })
  await client.fetch('/account')
  // A request, the sign-out, a request of the next session.
  expect(await epksOf(wire)).toEqual([0, 0, 2])
  const other = clientOf(server)
  await other.client.signIn({ email, password: GOOD_PASSWORD })
  await other.client.fetch('/account')
  const [first] = await headersOf(wire)
  const [others] = await headersOf(other.wire)
  expect(others?.['epk']).not.toEqual(first?.['epk'])
})
