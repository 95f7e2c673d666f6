// `npm run test:browser`: everything that only a browser can show, in a real Chromium. Arguments go
// to Jest, such as the name of a test file; coverage is of all of them, and not measured then.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { bundle } from '../../scripts/bundle.js'
import { reportCoverage } from './coverage.js'
import { findChromium } from './find-chromium.js'

process.chdir(resolve(import.meta.dirname, '../..'))
const chromium = findChromium()
if (chromium === undefined) {
  console.error(
    'Skipped: no Chromium found. Install one (Debian: apt-get install chromium) or set CHROMIUM_PATH.',
  )
  process.exit(process.env.REQUIRE_BROWSER === '1' ? 1 : 0)
}

const scratch = mkdtempSync(join(tmpdir(), 'jwe-auth-browser-'))
const [minified, raw] = [join(scratch, 'minified'), join(scratch, 'coverage')]
mkdirSync(raw)
// Readable, or the source maps lead to the wrong branches; one test takes the minified one.
await bundle('dist/browser', { minify: false })
await bundle(minified)

const args = process.argv.slice(2)
const { status } = spawnSync(
  process.execPath,
  [
    ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
    ...['node_modules/jest/bin/jest.js', '--config', 'jest.browser.config.js', ...args],
  ],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      CHROMIUM_PATH: chromium,
      MINIFIED_BUNDLE: minified,
      BROWSER_COVERAGE: raw,
    },
  },
)
const isCovered = args.length > 0 || (await reportCoverage(raw))
rmSync(scratch, { recursive: true })
// As `npm run build` leaves it.
await bundle('dist/browser')
process.exitCode = status === 0 && isCovered ? 0 : 1
