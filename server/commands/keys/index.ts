/** The entry point of `npm run keys`. */
import { loadCommandPassphrases, loadConfig } from '../../config/config.ts'
import { StartupError } from '../../errors/startup-error.ts'
import { keysCommand } from './keys-command.ts'
import { askSecret } from '../prompt.ts'

const writeTo = (stream: NodeJS.WriteStream) => (line: string) => void stream.write(`${line}\n`)

try {
  process.exitCode = await keysCommand(
    process.argv.slice(2),
    loadConfig(),
    { print: writeTo(process.stdout), note: writeTo(process.stderr), askSecret },
    loadCommandPassphrases(),
  )
} catch (error) {
  if (!(error instanceof StartupError)) throw error
  error.problems.forEach(writeTo(process.stderr))
  process.exitCode = 1
}
