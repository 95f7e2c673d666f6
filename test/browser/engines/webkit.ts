/** WebKitGTK's own small browser, through its driver, on a screen in memory. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, Transcript } from '../../support/process.ts'
import { expressionOf, resultOf, type Engine, type Tab } from './engine.ts'
import { newSession, type WebDriverSession } from './web-driver.ts'

/** Milliseconds between two checks for a result. */
const PAUSE = 20

export async function launchWebKit(): Promise<Engine> {
  const screen = spawn('Xvfb', ['-displayfd', '1', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [, display] = await new Transcript(screen.stdout).until(/(\d+)\n/)
  const port = await freePort()
  const program = process.env['WEBKIT_DRIVER_PATH'] ?? 'WebKitWebDriver'
  const driver = spawn(program, [`--port=${port}`], {
    env: { ...process.env, DISPLAY: `:${display!}`, GDK_BACKEND: 'x11' },
    stdio: 'ignore',
  })
  const exits = [once(screen, 'close'), once(driver, 'close')]
  return {
    async newProfile() {
      // Its own browser, which keeps its storage in memory.
      const session = await newSession(`http://127.0.0.1:${port}`)
      const unused = await session.tabs()
      return {
        async openTab(url) {
          const tab = unused.pop() ?? (await session.newTab())
          await session.post(tab, '/url', { url })
          return tabOf(session, tab)
        },
        close: () => session.close(),
      }
    },
    async close() {
      driver.kill()
      screen.kill()
      await Promise.all(exits)
    },
  }
}

function tabOf(session: WebDriverSession, tab: string): Tab {
  const execute = <T>(script: string): Promise<T> =>
    session.post(tab, '/execute/sync', { script, args: [] })
  return {
    // WebDriver's own asynchronous scripts would block every other tab.
    async evaluate(run, argument) {
      const outcome = `globalThis[${JSON.stringify(randomUUID())}]`
      await execute(
        `${expressionOf(run, argument)}.then((json) => { ${outcome} = { json } }, ` +
          `(error) => { ${outcome} = { error: String(error) } })`,
      )
      for (;;) {
        const found = await execute<{ json: string } | { error: string } | null>(
          `return ${outcome}`,
        )
        if (found === null) await sleep(PAUSE)
        else if ('json' in found) return resultOf(found.json)
        else throw new Error(found.error)
      }
    },
    reload: () => session.post(tab, '/refresh'),
  }
}
