/**
 * A client for the terminal: `npm run call -- GET /account`. curl cannot do this, because each request
 * needs its token encrypted again.
 */
import { AuthError } from '../../client/index.ts'
import { StartupError } from '../../server/errors/startup-error.ts'
import { createPaint } from '../terminal.ts'
import { CallError } from './call-error.ts'
import { callCommand } from './call-command.ts'
import { explain, explainError } from './explain.ts'

const { argv, stdout, stderr } = process
// The reader may stop early, as in `npm run -s call -- GET /account | head -1`.
stdout.on('error', () => undefined)
try {
  process.exitCode = await callCommand(argv.slice(2), stdout, stderr)
} catch (error) {
  const paint = createPaint(stderr)
  process.exitCode = 1
  if (error instanceof AuthError) stderr.write(explainError(paint, error))
  else if (error instanceof CallError) {
    stderr.write(explain(paint, error))
    process.exitCode = error.exitCode
  } else if (error instanceof StartupError) {
    for (const message of error.problems) stderr.write(explain(paint, { message }))
  } else throw error
}
