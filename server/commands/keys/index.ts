/** The entry point of `npm run keys`. */
import { loadCommandPassphrases, loadConfig } from '../../config/config.ts'
import { askSecret } from '../prompt.ts'
import { runCommand, writeTo } from '../run-command.ts'
import { keysCommand } from './keys-command.ts'

const terminal = { print: writeTo(process.stdout), note: writeTo(process.stderr), askSecret }

await runCommand((args) => keysCommand(args, loadConfig(), terminal, loadCommandPassphrases()))
