import { audit, auditEnded } from '../../log/audit.ts'
import type { Database } from '../../database/open.ts'
import type { Logger } from '../../log/logger.ts'
import { createAccounts } from '../../accounts/accounts.ts'
import { isScope } from '../scope.ts'
import { changeScope } from './change-scope.ts'

const HELP = `Usage: npm run account -- scope <email> "<scope>"

  scope    change an account's scope, for example to "user admin", and sign it out everywhere
  --help   show this help`

/** What a command works with. */
export interface CommandParts {
  /** Opens the database. Called only if the arguments are valid. */
  readonly open: () => Promise<Database>
  readonly logger: Logger
  /** Takes one line of the result. */
  readonly print: (line: string) => void
  /** Takes one line that says why nothing was changed. */
  readonly note: (line: string) => void
}

/**
 * Runs one `npm run account` command.
 *
 * @returns The exit code: 0 for success, 1 if the account cannot be changed, 2 for wrong arguments.
 */
export async function accountCommand(
  args: readonly string[],
  { open, logger, print, note }: CommandParts,
): Promise<number> {
  const [command, email = '', scope = ''] = args
  if (command === '--help' || command === '-h' || command === 'help') {
    print(HELP)
    return 0
  }
  const fault = faultOf(args)
  if (fault !== undefined) {
    note(`${fault} See: npm run account -- --help`)
    return 2
  }
  const database = await open()
  try {
    const account = await createAccounts(database, Date.now).findByEmail(email)
    if (account === undefined) {
      note(`There is no account with the address ${email}.`)
      return 1
    }
    const ended = await changeScope(database, account, scope)
    if (ended === undefined) {
      note('The account was changed in the meantime. Try again.')
      return 1
    }
    audit(logger, 'scope_changed', { account_id: account.id })
    auditEnded(logger, account.id, ended)
    print(`${account.email} has the scope "${scope}". Sessions ended: ${ended.length}.`)
    return 0
  } finally {
    await database.destroy()
  }
}

/** One sentence that says what is wrong with the arguments. */
function faultOf([command, email, scope, ...rest]: readonly string[]): string | undefined {
  if (command === undefined) return 'A command is missing.'
  if (command !== 'scope') return `There is no command ${JSON.stringify(command)}.`
  if (email === undefined || scope === undefined || rest.length > 0) {
    return 'scope takes an address, and a scope in quotation marks.'
  }
  return isScope(scope)
    ? undefined
    : 'The scope must be words separated by single spaces, such as "user admin".'
}
