import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { AUDIT_LEVELS } from '../../../server/log/audit-events.ts'
import { startMeasuredServer } from './scrape.ts'

const PAGE = join(import.meta.dirname, '../../../docs/features/metrics.md')
/** Only on PostgreSQL; see readings.test.ts. */
const ON_POSTGRES = ['busy', 'max', 'waiting'].map((name) => `auth_database_connections_${name}`)

let page: string
/** The name and type of every metric. */
let metrics: Map<string, string>
let server: Awaited<ReturnType<typeof startMeasuredServer>>

beforeAll(async () => {
  page = await readFile(PAGE, 'utf8')
  server = await startMeasuredServer()
  const text = await (await fetch(`${server.metricsUrl}/metrics`)).text()
  const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)]
  metrics = new Map(types.map(([, name = '', type = '']) => [name, type]))
})
afterAll(() => server.stop())

test('the docs page lists every auth_ metric with its type', () => {
  const rows = [...page.matchAll(/^\| `(auth_\w+)` +\| (\w+) /gm)]
  const documented = rows.map(([, name, type]) => [name, type])
  const actual = [...metrics].filter(([name]) => name.startsWith('auth_'))
  const all = new Map([...actual, ...ON_POSTGRES.map((name) => [name, 'gauge'] as const)])
  expect(documented.toSorted()).toEqual([...all].toSorted())
})

test('every metric and event that an alert names exists', () => {
  const [, rules = ''] = /^```yaml\n# auth-rules\.yml\n([^]*?)^```$/m.exec(page) ?? []
  const named = [...rules.matchAll(/\b(?:auth|nodejs|process)_\w+/g)].map(([name]) => name)
  expect(named.length).toBeGreaterThan(10)
  const missing = named.filter(
    (name) =>
      !metrics.has(name) &&
      !metrics.has(name.replace(/_(?:bucket|count|sum)$/, '')) &&
      !ON_POSTGRES.includes(name),
  )
  expect(missing).toEqual([])
  const events = [...rules.matchAll(/event="(\w+)"/g)].map(([, event]) => event)
  expect(Object.keys(AUDIT_LEVELS)).toEqual(expect.arrayContaining(events))
})
