/**
 * The subject that each ratio refers to: the ceiling and common solutions, or with `--scale` the
 * smallest case.
 */
const REFERENCES = {
  Koa: 'Koa alone',
  'koa-jwt': 'koa-jwt, plain ES256',
  nested: 'Koa + jose, nested',
  'better-auth': 'better-auth get-session, database',
  'one client': 'GET /account, one client',
  'few accounts': 'POST /token, few accounts',
}

/** Prints the report of a run as a table in Markdown. */
export function printTable(report) {
  const { subjects, node, machine, pinned, connections, date } = report
  const { rounds, seconds, warm_up } = report
  const cores = pinned ? 'a core each for server and load' : 'server and load share the cores'
  console.log(`${date}, Node ${node}, ${machine}, ${cores}.`)
  console.log(
    `${connections} connections, medians of ${rounds} rounds of ${seconds} s after ${warm_up} s of warm-up.`,
  )
  console.log(
    `An fsync of 4 KiB takes ${report.fsync_ms.toFixed(2)} ms. CPU ms: the server's for a request.`,
  )
  console.log('÷: requests per second, divided by those of that row.\n')
  const references = Object.entries(REFERENCES).filter(([, name]) => find(subjects, name))
  const head = ['', 'req/s', 'p50 ms', 'p99 ms', 'CPU ms', ...references.map(([key]) => `÷ ${key}`)]
  const rows = subjects.map((subject) => [
    subject.isOurs ? `**${subject.name}**` : subject.name,
    Math.round(subject.per_second).toLocaleString('en'),
    subject.p50_ms.toFixed(2),
    subject.p99_ms.toFixed(2),
    subject.cpu_ms === null ? '' : subject.cpu_ms.toFixed(3),
    ...references.map(([, name]) =>
      (subject.per_second / find(subjects, name).per_second).toFixed(2),
    ),
  ])
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column].length)),
  )
  const line = (row) =>
    `| ${row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n]))).join(' | ')} |`
  console.log(line(head))
  console.log(
    `| ${widths.map((width, n) => '-'.repeat(n === 0 ? width : width - 1) + (n === 0 ? '' : ':')).join(' | ')} |`,
  )
  for (const row of rows) console.log(line(row))
  const failed = subjects.filter((subject) => subject.failed > 0)
  for (const { name, failed: count } of failed)
    console.log(`${name}: ${count} answers were not 200`)
  if (failed.length > 0) process.exitCode = 1
}

const find = (subjects, name) => subjects.find((subject) => subject.name === name)
