// How much more does a sealed sign-in cost than a plain one? Signs people in both ways in turn,
// with the cheapest password hashes, and prints the server's CPU time for one.
// `npm run bench -- sealed [rounds]`
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { drive } from './drive.js'
import { startOurServer } from './our-server.js'
import { pinToLoadCore } from './processes.js'
import { agree, httpRequest, seal } from './seal.js'
import { quantile } from './support.js'

const ROUNDS = Number(process.argv[2] ?? 30)
/** Sign-ins of each kind in a round. */
const BATCH = 200
const CONNECTIONS = 4
const PATH = '/account/login'

pinToLoadCore()
const program = join(import.meta.dirname, 'cheap-hashes.js')
const server = await startOurServer(CONNECTIONS, { program })

const plainly = ({ person }) => {
  const headers = { 'Content-Type': 'application/json' }
  return httpRequest(server.url, 'POST', PATH, headers, JSON.stringify(person))
}
/** With a key agreement of its own, as every sealed body has that comes without a session. */
const sealed = ({ person, client }) => {
  const req = {
    jti: randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    htm: 'POST',
    htu: server.url + PATH,
  }
  const headers = { 'Content-Type': 'application/jose', Accept: 'application/jose' }
  const body = seal(JSON.stringify(person), agree(client.serverJwk), req, 'json')
  return httpRequest(server.url, 'POST', PATH, headers, body)
}

/** The server's CPU time for one sign-in, in milliseconds. */
async function costOf(make) {
  const requests = Array.from({ length: BATCH }, (_, n) => make(server.people[n % CONNECTIONS]))
  const before = server.cpu()
  const { failed } = await drive(server.url, {
    connections: CONNECTIONS,
    seconds: Infinity,
    requests: { next: () => requests.pop() },
  })
  if (failed > 0) throw new Error(`${failed} of ${BATCH} sign-ins failed.`)
  return (server.cpu() - before) / BATCH
}

const costs = { plain: [], sealed: [] }
// The first rounds warm up, and the order alternates.
for (let round = -3; round < ROUNDS; round++) {
  const kinds = [
    ['plain', plainly],
    ['sealed', sealed],
  ]
  for (const [kind, make] of round % 2 === 0 ? kinds : kinds.reverse()) {
    const cost = await costOf(make)
    if (round >= 0) costs[kind].push(cost)
  }
}
await server.stop()

const more = costs.sealed.map((cost, round) => cost - costs.plain[round])
const ms = (numbers, q = 0.5) => `${quantile(numbers, q).toFixed(2)} ms`
console.log(`CPU of the server for one sign-in, without its hash (medians of ${ROUNDS} rounds)`)
console.log(`  plain   ${ms(costs.plain)}`)
console.log(`  sealed  ${ms(costs.sealed)}`)
console.log(`  sealed costs ${ms(more)} more (quartiles ${ms(more, 0.25)}, ${ms(more, 0.75)})`)
