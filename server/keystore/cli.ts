/** The program: `npm run keys`. */
import { loadConfig } from '../config.ts'
import { StartupError } from '../startup-error.ts'
import { keysCommand } from './keys-command.ts'

try {
  process.exitCode = await keysCommand(process.argv.slice(2), loadConfig(), (line) => {
    process.stdout.write(`${line}\n`)
  })
} catch (error) {
  if (!(error instanceof StartupError)) throw error
  process.stderr.write(error.problems.map((problem) => `${problem}\n`).join(''))
  process.exitCode = 1
}
