import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { StartupError } from '../errors/startup-error.ts'

/**
 * Asks for a secret on the terminal, without echoing it.
 *
 * @param variable The environment variable to set if there is no terminal.
 * @throws StartupError if there is no terminal, or the person cancels.
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
