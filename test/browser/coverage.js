// The coverage of the files that run only in a browser.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { mergeProcessCovs } from '@bcoe/v8-coverage'
import coverage from 'istanbul-lib-coverage'
import report from 'istanbul-lib-report'
import reports from 'istanbul-reports'
import v8ToIstanbul from 'v8-to-istanbul'

const FOLDER = 'dist/browser'
const COUNTED =
  /^(server\/features\/\w[\w-]*\/page\/.*|client\/stores\/(indexeddb-store|indexed-db))\.ts$/
/** Percent of lines, and of branches. */
const THRESHOLD = 95

/**
 * Prints a table.
 *
 * @param raw A folder with V8's data, one file for each test.
 * @returns Whether the coverage is high enough.
 */
export async function reportCoverage(raw) {
  const scripts = readdirSync(raw).flatMap((name) =>
    JSON.parse(readFileSync(join(raw, name), 'utf8')),
  )
  const map = coverage.createCoverageMap()
  // Merged as V8's own data: V8 does not list a block that was always entered, and merging later
  // would take that for a block that was never entered.
  const merged = mergeProcessCovs(scripts.map((script) => ({ result: [script] }))).result
  for (const { url, functions } of merged) {
    const path = resolve(FOLDER, url)
    const sourcemap = JSON.parse(readFileSync(`${path}.map`, 'utf8'))
    const source = readFileSync(path, 'utf8')
    const converter = v8ToIstanbul(path, 0, { source, sourceMap: { sourcemap } })
    await converter.load()
    converter.applyCoverage(functions)
    map.merge(converter.toIstanbul())
  }
  map.filter((path) => COUNTED.test(relative(process.cwd(), path).replaceAll('\\', '/')))

  const context = report.createContext({ dir: 'coverage', coverageMap: map })
  reports.create('text').execute(context)
  const { lines, branches } = map.getCoverageSummary().data
  const isEnough = map.files().length > 0 && Math.min(lines.pct, branches.pct) >= THRESHOLD
  if (!isEnough) console.error(`Less than ${THRESHOLD} % of the lines or branches were run.`)
  return isEnough
}
