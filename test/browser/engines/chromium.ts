import { chromium } from 'playwright-core'
import { expressionOf, resultOf, type Engine } from './engine.ts'

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const startChromium = () =>
  chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: ARGS,
  })

export async function launchChromium(): Promise<Engine> {
  const browser = await startChromium()
  return {
    async newProfile() {
      const context = await browser.newContext()
      return {
        async openTab(url) {
          const page = await context.newPage()
          await page.goto(url)
          return {
            evaluate: async (run, argument) =>
              resultOf(await page.evaluate<string>(expressionOf(run, argument))),
            reload: () => page.reload(),
          }
        },
        close: () => context.close(),
      }
    },
    close: () => browser.close(),
  }
}
