// Does the server keep up within its memory? Sends bound requests from many sessions at full rate.
// `npm run bench -- soak [minutes] [sessions]`
import { drive } from './drive.js'
import { accountRequests, startOurServer } from './our-server.js'
import { pinToLoadCore } from './processes.js'
import { quantile } from './support.js'

const MINUTES = Number(process.argv[2] ?? 10)
const SESSIONS = Number(process.argv[3] ?? 256)
const CONNECTIONS = 32
/** Seconds for each line of the report. */
const SLICE = 15
/** MiB. */
const MOST_MEMORY = 250

pinToLoadCore()
const server = await startOurServer(SESSIONS)
const requests = { next: accountRequests(server, { bound: true }) }
const memory = []
let [sent, failed, unavailable] = [0, 0, 0]

console.log(`${SESSIONS} sessions, ${CONNECTIONS} connections, ${MINUTES} minutes`)
for (let second = SLICE; second <= MINUTES * 60; second += SLICE) {
  const slice = await drive(server.url, { connections: CONNECTIONS, seconds: SLICE, requests })
  sent += slice.count
  failed += slice.failed
  unavailable += slice.unavailable
  memory.push(server.memory())
  const rate = Math.round((slice.count / slice.ms) * 1000)
  const p99 = quantile(slice.latencies, 0.99).toFixed(1)
  const used = memory.at(-1)?.toFixed(0) ?? '?'
  console.log(
    `${String(second).padStart(5)} s: ${rate} requests/s, p99 ${p99} ms, ${slice.failed} failed, ${used} MiB`,
  )
}
await server.stop()

// Unknown on systems other than Linux.
const most = Math.max(...memory.filter((used) => used !== undefined))
console.log(`${sent} requests, ${failed} failed, ${unavailable} of them with 503`)
console.log(`memory: ${most.toFixed(0)} MiB at most, ${MOST_MEMORY} allowed`)
if (failed > 0 || most > MOST_MEMORY) process.exitCode = 1
