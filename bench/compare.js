// Compares this server with its peers in one run: `npm run bench [-- --rounds 9 --seconds 1 --only
// koa --json]`
import { parseArgs } from 'node:util'
import { cpus } from 'node:os'
import { drive } from './drive.js'
import { fsyncTime } from './fsync.js'
import { SCALE_SUBJECTS, variantSubjects } from './our-subjects.js'
import { isPinned, pinToLoadCore } from './processes.js'
import { SUBJECTS } from './subjects.js'
import { quantile } from './support.js'
import { printTable } from './table.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '1' },
    /** Seconds before the first round, for the compiler. */
    'warm-up': { type: 'string', default: '4' },
    connections: { type: 'string', default: '32' },
    /** Runs only subjects whose name contains this. */
    only: { type: 'string', default: '' },
    /** Compares our server with few and with many clients and accounts, instead of the peers. */
    scale: { type: 'boolean', default: false },
    /** Compares our server without and with a variable, `NAME=value`, instead of the peers. */
    with: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const [rounds, seconds, warmUp, connections] = [
  values.rounds,
  values.seconds,
  values['warm-up'],
  values.connections,
].map(Number)
pinToLoadCore()
const say = (text) => process.stderr.write(text)

const ours = values.with === undefined ? SCALE_SUBJECTS : variantSubjects(values.with)
const isAlone = values.scale || values.with !== undefined
const subjects = (isAlone ? ours : SUBJECTS).filter(({ name }) => name.includes(values.only))
const runs = []
for (const subject of subjects) {
  const server = await subject.start({ connections })
  const run = { name: subject.name, server, isOurs: subject.isOurs === true, rounds: [] }
  // It also tells how many requests a round needs.
  const { count, ms } = await measure(run, warmUp, warmUp * 20_000)
  run.rate = (count / ms) * 1000
  runs.push(run)
}
for (let round = 1; round <= rounds; round++) {
  say(`Round ${round} of ${rounds}\n`)
  // Runs them in turn within each round, so that a disturbance of the machine affects them all.
  for (const run of runs) {
    run.rounds.push(await measure(run, seconds, Math.ceil(run.rate * seconds * 1.5)))
  }
}
await Promise.all([...new Set(runs.map(({ server }) => server.stop))].map((stop) => stop()))

const report = {
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  machine: `${cpus().length} × ${cpus()[0].model}`,
  pinned: isPinned,
  connections,
  rounds,
  seconds,
  warm_up: warmUp,
  fsync_ms: fsyncTime(),
  subjects: runs.map(summarize),
}
if (values.json) console.log(JSON.stringify(report, null, 2))
else printTable(report)

async function measure({ server }, duration, count) {
  const requests = server.prepare(count)
  const before = server.cpu()
  const result = await drive(server.url, { connections, seconds: duration, requests })
  return { ...result, cpu: before === undefined ? undefined : server.cpu() - before }
}

/** The medians of the rounds. */
function summarize({ name, isOurs, rounds: measured }) {
  const median = (of) => quantile(measured.map(of), 0.5)
  const failed = measured.reduce((sum, round) => sum + round.failed, 0)
  return {
    name,
    isOurs,
    per_second: median(({ count, ms }) => (count / ms) * 1000),
    p50_ms: median(({ latencies }) => quantile(latencies, 0.5)),
    p99_ms: median(({ latencies }) => quantile(latencies, 0.99)),
    cpu_ms: measured[0].cpu === undefined ? null : median(({ cpu, count }) => cpu / count),
    failed,
  }
}
