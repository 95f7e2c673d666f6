// Does the time of an answer reveal whether an address has an account? Tries a known and an unknown
// address alternately, for signing in and for requesting a password reset, and prints the medians
// and their difference. `npm run bench -- timing [tries]`
import { startOurServer } from './our-server.js'
import { quantile, registerClient, send } from './support.js'

const TRIES = Number(process.argv[2] ?? 300)
const server = await startOurServer(0, { pinned: false })
const client = await registerClient(server.url)
const known = 'known@bench.test'
const unknown = 'other@bench.test'
await send(server.url, 'POST', '/account', {
  email: known,
  password: 'a long and winding road',
  client_id: client.id,
})

await compare('POST /account/login, wrong password', 401, (email) =>
  send(server.url, 'POST', '/account/login', {
    email,
    password: 'not the right one',
    client_id: client.id,
  }),
)
await compare('POST /account/password-reset', 202, (email) =>
  send(server.url, 'POST', '/account/password-reset', { email }),
).finally(() => server.stop())

async function compare(title, status, attempt) {
  const times = { [known]: [], [unknown]: [] }
  for (let i = 0; i < TRIES + 20; i++) {
    // The order alternates, so that neither of the two always comes second.
    for (const email of i % 2 === 0 ? [known, unknown] : [unknown, known]) {
      const answer = await attempt(email)
      if (answer.status !== status) throw new Error(`${answer.status} instead of ${status}`)
      if (i >= 20) times[email].push(answer.ms)
    }
  }
  const [a, b] = [quantile(times[known], 0.5), quantile(times[unknown], 0.5)]
  console.log(title)
  console.log(`  known    ${a.toFixed(2)} ms (median of ${TRIES})`)
  console.log(`  unknown  ${b.toFixed(2)} ms`)
  console.log(`  they differ by ${((Math.abs(a - b) / Math.max(a, b)) * 100).toFixed(1)} %`)
}
