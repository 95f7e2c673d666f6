import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { StartupError } from '../errors/startup-error.ts'

/**
 * Asks a person for a secret, without echo.
 *
 * @param variable What to set instead where there is no terminal.
 * @throws StartupError where there is no terminal to ask on.
 */
export async function askSecret(question: string, variable: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new StartupError([`There is no terminal to ask on. Set ${variable}.`])
  }
  process.stderr.write(`${question}: `)
  const muted = new Writable({
    write(_chunk, _encoding, done) {
      done()
    },
  })
  const lines = createInterface({ input: process.stdin, output: muted, terminal: true })
  try {
    return await lines.question('')
  } catch {
    // Ctrl-C or Ctrl-D.
    throw new StartupError(['Stopped. Nothing was changed.'])
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
