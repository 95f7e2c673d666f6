// Takes docs/images/playground.png, the picture in the README: the playground of a running server,
// after signing up. `node test/features/playground/picture.js [http://localhost:3000]`
import { join } from 'node:path'
import process from 'node:process'
import { chromium } from 'playwright-core'

const [url = 'http://localhost:3000'] = process.argv.slice(2)
const path = join(import.meta.dirname, '../../../docs/images/playground.png')

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
})
const page = await browser.newPage({
  viewport: { width: 800, height: 900 },
  colorScheme: 'light',
  reducedMotion: 'reduce',
})
await page.goto(url)
await page.getByRole('button', { name: 'Make somebody up' }).click()
await page.getByRole('button', { name: 'Sign up' }).click()
// The access token, decrypted, and its claims.
const section = page.locator('#jws')
await section.waitFor()
await section.evaluate((node) => node.scrollIntoView({ block: 'start' }))
await page.screenshot({ path })
await browser.close()
console.log(`Wrote ${path}`)
