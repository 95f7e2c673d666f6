/** Any Firefox with WebDriver BiDi, such as Debian's. No driver is needed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Transcript } from '../../support/process.ts'
import { connectBiDi, type BiDi } from './bidi.ts'
import { expressionOf, resultOf, type Engine, type Tab } from './engine.ts'

export async function launchFirefox(): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'jwe-auth-firefox-'))
  const args = ['--headless', '--no-remote', '--profile', folder, '--remote-debugging-port=0']
  const firefox = spawn(process.env['FIREFOX_PATH'] ?? 'firefox-esr', args, {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exit = once(firefox, 'close')
  const [, url] = await new Transcript(firefox.stderr).until(/BiDi listening on (ws:\S+)/)
  const browser = await connectBiDi(`${url!}/session`)
  await browser.send('session.new', { capabilities: {} })
  return {
    async newProfile() {
      const { userContext } = await browser.send('browser.createUserContext')
      return {
        openTab: (address) => openTab(browser, userContext!, address),
        close: () => browser.send('browser.removeUserContext', { userContext }),
      }
    },
    async close() {
      await browser.send('browser.close')
      browser.close()
      await exit
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function openTab(browser: BiDi, userContext: string, url: string): Promise<Tab> {
  const { context } = await browser.send('browsingContext.create', { type: 'tab', userContext })
  await browser.send('browsingContext.navigate', { context, url, wait: 'complete' })
  return {
    async evaluate(run, argument) {
      const answer = (await browser.send('script.evaluate', {
        expression: expressionOf(run, argument),
        target: { context },
        awaitPromise: true,
      })) as unknown as Evaluation
      if (answer.type === 'exception') throw new Error(answer.exceptionDetails.text)
      return resultOf(answer.result.value)
    },
    reload: () => browser.send('browsingContext.reload', { context, wait: 'complete' }),
  }
}

type Evaluation =
  | { readonly type: 'success'; readonly result: { readonly value: string } }
  | { readonly type: 'exception'; readonly exceptionDetails: { readonly text: string } }
