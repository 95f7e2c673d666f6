// `npm run test:browser`: everything that only browsers can show. Arguments go to Jest, such as the
// name of a test file; coverage is of all of them, in Chromium, and not measured then.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { bundle } from '../../scripts/bundle.js'
import { reportCoverage } from './coverage.js'
import { ENGINES, findBrowser } from './find-browsers.js'

process.chdir(resolve(import.meta.dirname, '../..'))
const engines = ENGINES.map((engine) => ({ ...engine, path: findBrowser(engine) }))
const missing = engines.filter(({ path }) => path === undefined)
for (const { engine, variable, packages } of missing) {
  console.error(
    `Skipped: no ${engine} found. Install it (Debian: apt-get install ${packages}) or set ${variable}.`,
  )
}
if (missing.length > 0 && process.env.REQUIRE_BROWSER === '1') process.exit(1)
if (missing.length === engines.length) process.exit(0)
/** Every test runs in Chromium, except for one file for each other engine. */
const skipped = missing.map(({ engine }) =>
  engine === 'chromium'
    ? String.raw`/browser/(?!engines/(firefox|webkit)\.)`
    : String.raw`/browser/engines/${engine}\.`,
)

const scratch = mkdtempSync(join(tmpdir(), 'jwe-auth-browser-'))
const [minified, raw] = [join(scratch, 'minified'), join(scratch, 'coverage')]
mkdirSync(raw)
// Not minified, or the source maps lead to the wrong branches. One test uses the minified bundle.
await bundle('dist/browser', { minify: false })
await bundle(minified)

const args = process.argv.slice(2)
const { status } = spawnSync(
  process.execPath,
  [
    // Firefox is driven over a WebSocket, which Node 20 has only with this flag.
    '--experimental-vm-modules',
    '--experimental-websocket',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    '--config',
    'jest.browser.config.js',
    ...args,
    ...skipped.flatMap((pattern) => ['--testPathIgnorePatterns', pattern]),
  ],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      ...Object.fromEntries(engines.map(({ variable, path }) => [variable, path])),
      MINIFIED_BUNDLE: minified,
      BROWSER_COVERAGE: raw,
    },
  },
)
const isMeasured = args.length === 0 && !missing.some(({ engine }) => engine === 'chromium')
const isCovered = !isMeasured || (await reportCoverage(raw))
rmSync(scratch, { recursive: true })
// As `npm run build` makes it.
await bundle('dist/browser')
process.exitCode = status === 0 && isCovered ? 0 : 1
