/** Bodies that have broken other servers, sent to every route of this one that takes a body. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { count, report, tally } from '../support/report.ts'
import { Attacker, isMalformed } from './attacker.ts'
import { JSON_CASES, NAUGHTY_STRINGS } from './corpora.ts'
import { eachOf, exchange, type Reply } from './exchange.ts'
import { everyRoute, startHostileServer, type HostileServer, type Route } from './hostile-server.ts'

/** A server without these answers nothing, and every test would pass. */
const LEAST_ROUTES = 10
const FORM = 'application/x-www-form-urlencoded'

let server: HostileServer
let routes: Route[]
let attackers: Attacker[]

beforeAll(async () => {
  server = await startHostileServer()
  routes = await everyRoute()
  const withBody = routes.filter(({ method }) => method !== 'GET')
  expect(withBody.length).toBeGreaterThan(LEAST_ROUTES)
  attackers = await eachOf(withBody, (route) => Attacker.create(server, route))
})
afterAll(() => server.stop())

/** Checks that the contract allows every answer so far, and that the server still runs. */
async function expectSound(what: string, replies: readonly Reply[]): Promise<void> {
  const statuses = replies.map(({ status = 'closed' }) => status)
  report(`${what}: ${count(replies.length)} requests (${tally(statuses)})`)
  expect(replies.filter(({ status = 0 }) => status >= 500)).toEqual([])
  expect(server.faults()).toEqual([])
  expect((await exchange(server.url, { method: 'GET', path: '/healthz' })).status).toBe(200)
}

const all = async <T>(
  items: readonly T[],
  work: (attacker: Attacker, item: T) => Promise<Reply>,
): Promise<Reply[]> => {
  const pairs = attackers.flatMap((attacker) => items.map((item) => ({ attacker, item })))
  return eachOf(pairs, ({ attacker, item }) => work(attacker, item))
}

test('every member that a route requires is tried', async () => {
  const unknown = await eachOf(attackers, (attacker) => attacker.unknownMember())
  expect(unknown.filter((name) => name !== undefined)).toEqual([])
})

test('invalid JSON as a whole body is refused', async () => {
  const replies = await all(JSON_CASES, async (attacker, { name, isValid, bytes }) => {
    const reply = await attacker.send(bytes)
    // An empty body is not a body to refuse.
    if (isValid === false && bytes.length > 0)
      expect([name, reply.status ?? 413]).toEqual([name, refused(bytes)])
    return reply
  })
  await expectSound(
    `JSON parsing: ${JSON_CASES.length} bodies × ${attackers.length} routes`,
    replies,
  )
})

const refused = (bytes: Buffer) => (bytes.length > 65_536 ? 413 : 400)

test('invalid JSON in an unknown member is refused, and valid JSON is read', async () => {
  const replies = await all(JSON_CASES, async (attacker, { name, isValid, bytes }) => {
    const body = Buffer.concat([Buffer.from('{"unknown":'), bytes, Buffer.from('}')])
    const reply = await attacker.send(body)
    // A duplicate name is valid JSON, but is refused everywhere.
    const isExpected = name.includes('duplicated') ? false : isValid
    if (isExpected === false) expect([name, reply.status ?? 413]).toEqual([name, refused(body)])
    if (isExpected === true) expect([name, isMalformed(reply)]).toEqual([name, false])
    return reply
  })
  await expectSound(
    `JSON parsing: ${JSON_CASES.length} members × ${attackers.length} routes`,
    replies,
  )
})

test('naughty strings as bodies cause no fault', async () => {
  const types = ['application/json', FORM]
  for (const type of types) {
    const replies = await all(NAUGHTY_STRINGS, (attacker, text) =>
      attacker.send(Buffer.from(text), type),
    )
    await expectSound(`naughty strings: ${NAUGHTY_STRINGS.length} bodies of ${type}`, replies)
  }
})

test('naughty strings in each member cause no fault', async () => {
  const members = await eachOf(attackers, async (attacker) => {
    const read = await attacker.membersRead()
    return read.map((member) => ({ attacker, ...member }))
  })
  const tries = members
    .flat()
    .flatMap((member) => NAUGHTY_STRINGS.map((text) => ({ ...member, text })))
  const replies = await eachOf(tries, ({ attacker, name, grant, text }) =>
    attacker.sendJson({ ...attacker.goodBody(grant), [name]: text }),
  )
  await expectSound(
    `naughty strings: ${NAUGHTY_STRINGS.length} × ${members.flat().length} members, each alone`,
    replies,
  )
})

test('naughty strings in paths cause no fault', async () => {
  const withParameter = routes.filter(({ path }) => path.includes(':'))
  const replies = await eachOf(withParameter, async (route) => {
    const attacker = await Attacker.create(server, route)
    return eachOf(NAUGHTY_STRINGS, (text) => attacker.send(Buffer.alloc(0), FORM, text))
  })
  await expectSound(
    `naughty strings: ${NAUGHTY_STRINGS.length} × ${withParameter.length} parameters of paths`,
    replies.flat(),
  )
})
