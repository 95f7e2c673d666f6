// Do sign-ins slow down everybody else? Measures protected GETs at a steady pace, alone and while
// 64 people keep signing in at the same time. `npm run bench -- sign-ins [seconds]`
import { availableParallelism } from 'node:os'
import { startOurServer } from './our-server.js'
import { agree, seal } from './seal.js'
import { quantile, send } from './support.js'

const SECONDS = Number(process.argv[2] ?? 10)
const AT_ONCE = 64
const PACE = 10
const server = await startOurServer(2, { pinned: false })
// Not the same account, because each sign-in ends its oldest session once it has enough.
const [reader, { person }] = server.people
const agreement = agree(reader.client.serverJwk)

console.log(`${availableParallelism()} cores, one GET /account every ${PACE} ms`)
// Warms up both paths, so that the first second does not measure the compiler.
await protectedGets(1)
await Promise.all(Array.from({ length: AT_ONCE }, () => signIn()))
report('alone', await protectedGets(SECONDS))
const logins = signInAtOnce()
report(`during ${AT_ONCE} simultaneous logins`, await protectedGets(SECONDS))
const { done, busy, retryAfter } = await logins()
console.log(`logins: ${done} done, ${busy} refused (503, Retry-After: ${retryAfter})`)
await server.stop()

async function protectedGets(seconds) {
  const answers = []
  const end = performance.now() + seconds * 1000
  while (performance.now() < end) {
    const authorization = `Bearer ${seal(reader.accessJws, agreement)}`
    answers.push(send(server.url, 'GET', '/account', undefined, { authorization }))
    await new Promise((resolve) => setTimeout(resolve, PACE))
  }
  return Promise.all(answers)
}

function signIn() {
  return send(server.url, 'POST', '/account/login', person)
}

/** Keeps 64 logins in flight until it is stopped. */
function signInAtOnce() {
  let running = true
  let done = 0
  let busy = 0
  let retryAfter
  const one = async () => {
    while (running) {
      const answer = await signIn()
      if (answer.status === 200) done++
      else if (answer.status === 503) {
        busy++
        retryAfter = answer.headers.get('retry-after')
        await new Promise((resolve) => setTimeout(resolve, 100))
      } else throw new Error(`login: ${answer.status}`)
    }
  }
  const all = Array.from({ length: AT_ONCE }, one)
  return async () => {
    running = false
    await Promise.all(all)
    return { done, busy, retryAfter }
  }
}

function report(title, answers) {
  const failed = answers.filter(({ status }) => status !== 200).length
  const times = answers.map(({ ms }) => ms)
  const at = (q) => `${quantile(times, q).toFixed(1)} ms`
  console.log(
    `GET /account ${title}: ${answers.length} requests, ${failed} failed, p50 ${at(0.5)}, p99 ${at(0.99)}`,
  )
}
