/** WebDriver (https://www.w3.org/TR/webdriver2/): one HTTP request for each command. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds for a driver to start. */
const PATIENCE = 20_000

export interface WebDriverSession {
  /** The open tabs, by handle. */
  tabs(): Promise<string[]>
  newTab(): Promise<string>
  /** Sends a command to a tab. */
  post<T>(tab: string, command: string, parameters?: object): Promise<T>
  close(): Promise<void>
}

/**
 * A session with a browser of its own.
 *
 * @param driver The URL of a driver, which may still be starting.
 */
export async function newSession(driver: string): Promise<WebDriverSession> {
  await untilReady(driver)
  const { sessionId } = await send<{ sessionId: string }>('POST', `${driver}/session`, {
    capabilities: {},
  })
  const url = `${driver}/session/${sessionId}`
  // A command goes to the current tab, so only one tab can be selected at a time.
  let last: Promise<unknown> = Promise.resolve()
  return {
    tabs: () => send('GET', `${url}/window/handles`),
    newTab: async () => (await send<{ handle: string }>('POST', `${url}/window/new`, {})).handle,
    post<T>(handle: string, command: string, parameters: object = {}) {
      const run = async () => {
        await send('POST', `${url}/window`, { handle })
        return send<T>('POST', url + command, parameters)
      }
      const result = last.then(run, run)
      last = result
      return result
    },
    close: () => send('DELETE', url),
  }
}

async function untilReady(driver: string): Promise<void> {
  const deadline = Date.now() + PATIENCE
  for (;;) {
    try {
      await fetch(`${driver}/status`)
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(50)
    }
  }
}

/** @throws Error with the driver's message if it refuses. */
async function send<T>(method: string, url: string, parameters?: object): Promise<T> {
  const body = parameters === undefined ? null : JSON.stringify(parameters)
  const response = await fetch(url, { method, body })
  const { value } = (await response.json()) as { value: unknown }
  if (!response.ok) throw new Error((value as { message: string }).message)
  return value as T
}
