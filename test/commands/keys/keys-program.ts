/** The program of `npm run keys`, except that its key files are cheap to open. */
import { loadCommandPassphrases, loadConfig } from '../../../server/config/config.ts'
import { keysCommand } from '../../../server/commands/keys/keys-command.ts'
import { CHEAP_SCRYPT } from '../../support/scrypt.ts'

const ignore = () => undefined
process.exitCode = await keysCommand(
  process.argv.slice(2),
  { ...loadConfig(), scryptCost: CHEAP_SCRYPT },
  { print: ignore, note: ignore, askSecret: () => Promise.reject(new Error('Nobody is here.')) },
  loadCommandPassphrases(),
)
