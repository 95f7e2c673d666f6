import { createMetrics } from '../../../server/features/metrics/index.ts'
import { startTestServer, type TestServer, type TestServerOptions } from '../../support/server.ts'

/** A server with metrics on a free port. */
export async function startMeasuredServer(
  options: TestServerOptions = {},
): Promise<TestServer & { readonly metricsUrl: string }> {
  const { features = [] } = options
  const server = await startTestServer({
    ...options,
    features: [...features, createMetrics({ port: 0 })],
  })
  return { ...server, metricsUrl: metricsUrlIn(server.logs) }
}

/** The address of the metrics, from the log. */
export function metricsUrlIn(logs: readonly string[]): string {
  const line = logs.find((text) => text.includes('"msg":"Metrics at '))
  return (JSON.parse(line ?? '{}') as { url: string }).url
}

/** The samples of a scrape: name and labels → value. */
export type Samples = ReadonlyMap<string, number>

export async function scrape({ metricsUrl }: { metricsUrl: string }): Promise<Samples> {
  const response = await fetch(`${metricsUrl}/metrics`)
  if (response.status !== 200) throw new Error(`The scrape got ${response.status}.`)
  return samplesIn(await response.text())
}

/** Parses the text exposition format. */
export const samplesIn = (text: string): Samples =>
  new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  )

/** The changes of a metric between two scrapes: labels → difference. */
export function changes(before: Samples, after: Samples, metric: string): Record<string, number> {
  return Object.fromEntries(
    [...after]
      .filter(([name]) => name === metric || name.startsWith(`${metric}{`))
      .map(([name, value]) => [name.slice(metric.length), value - (before.get(name) ?? 0)] as const)
      .filter(([, difference]) => difference !== 0),
  )
}
