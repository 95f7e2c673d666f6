/** What can be read in the traffic behind TLS, and in the log. */
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import { AuthClient, memoryStore } from '../../../client/index.ts'
import { codeOf } from '../../support/auth-client.ts'
import { TestClient } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { SealingClient } from './sealing-client.ts'

const PASSWORD = 'velvet-tangerine-obelisk-1842'
const EMAIL = 'wiretapped@mail.test'
const NAME = 'Wilhelmina Quartermain'

let server: TestServer
let tap: Server
let seen = ''
let url: string
let client: SealingClient

/** Forwards every byte and records it. */
beforeAll(async () => {
  server = await startTestServer({ features: [sealedBodies] })
  const { port } = new URL(server.url)
  tap = createServer((socket) => {
    const upstream = connect(Number(port), '127.0.0.1')
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      from.on('data', (bytes: Buffer) => (seen += bytes.toString('latin1')))
      from.on('close', () => to.destroy()).on('error', () => to.destroy())
      from.pipe(to)
    }
  })
  await once(tap.listen(0, '127.0.0.1'), 'listening')
  url = `http://127.0.0.1:${(tap.address() as AddressInfo).port}`
  client = new SealingClient({ ...server, url }, await TestClient.registered(url))
})
afterAll(async () => {
  // This closes the connections, and those of the tap with them.
  await server.stop()
  tap.close()
})

/** A secret in every encoding in which the bytes could contain it. */
const formsOf = (secret: string) => [
  secret,
  encodeURIComponent(secret),
  ...['base64', 'base64url', 'hex'].flatMap((encoding) =>
    // In base64, a text has three forms, by its position.
    [0, 1, 2].map((at) =>
      Buffer.from(secret.slice(at))
        .toString(encoding as BufferEncoding)
        .slice(0, 16),
    ),
  ),
]

function expectUnseen(secrets: readonly string[]) {
  const forms = secrets.flatMap(formsOf)
  const log = server.logs.join('')
  expect(forms.filter((secret) => seen.includes(secret))).toEqual([])
  expect(forms.filter((secret) => log.includes(secret))).toEqual([])
}

test('no name, password or database key is in the traffic or the log', async () => {
  const body = { email: EMAIL, password: PASSWORD, name: NAME, client_id: client.id }
  const session = await client.sessionOf(
    await client.send({ method: 'POST', path: '/account', body }),
  )
  const again = await client.send({ method: 'POST', path: '/account', body })
  expect(again.claims?.status).toBe(409)
  const login = { email: EMAIL, password: PASSWORD, client_id: client.id }
  await client.send({ method: 'POST', path: '/account/login', body: login })
  await client.send({ method: 'GET', path: '/account', session })
  await client.send({
    method: 'PUT',
    path: '/account/password',
    session,
    body: { current_password: PASSWORD, new_password: `${PASSWORD} anew` },
  })

  expectUnseen([EMAIL, PASSWORD, NAME, session.databaseKey])

  // The tap does see what is not sealed.
  await client.client.send('POST', '/account/login', login)
  expect(seen).toContain(PASSWORD)
})

test('and none is if the client library sends them, whether it succeeds or not', async () => {
  const [email, password, fresh] = ['augusta@mail.test', 'copper sparrow harbour', 'marble lantern']
  const auth = new AuthClient({
    server: url,
    issuer: server.config.issuer,
    clock: server.clock,
    store: memoryStore(),
    sealedBodies: 'required',
  })
  await auth.signUp({ email, password, name: 'Augusta Byron' })
  await auth.signOut()
  expect(await codeOf(auth.signIn({ email, password: `${password}!` }))).toBe('invalid_grant')
  expect(await codeOf(auth.signUp({ email, password }))).toBe('account_exists')
  expect(await codeOf(auth.signUp({ email: 'no address', password }))).toBe('invalid_request')
  await auth.signIn({ email, password })
  await auth.refresh()
  await auth.account.rename('Lady Lovelace')
  const { database_key } = await auth.account.read()
  await auth.account.changePassword(password, fresh)
  await auth.account.remove(fresh)
  const names = ['Augusta Byron', 'Lady Lovelace']
  expectUnseen([email, 'no address', password, fresh, ...names, database_key!])
})
