import { audit, auditEnded } from '../../log/audit.ts'
import type { Database } from '../../database/open.ts'
import type { Logger } from '../../log/logger.ts'
import { createAccounts } from '../../accounts/accounts.ts'
import { isScope } from '../scope.ts'
import { changeScope } from './change-scope.ts'

const HELP = `Usage: npm run account -- scope <email> "<scope>"

  scope    change an account's scope, for example to "user admin", and sign it out everywhere
  --help   show this help`

/**
 * Runs one `npm run account` command.
 *
 * @param open Opens the database. Called only if the arguments are valid.
 * @param print Takes one line of output.
 * @returns The exit code: 0 for success, 1 if the account cannot be changed, 2 for wrong arguments.
 */
export async function accountCommand(
  args: readonly string[],
  open: () => Promise<Database>,
  logger: Logger,
  print: (line: string) => void,
): Promise<number> {
  const [command, email, scope, ...rest] = args
  if (command === '--help' || command === '-h' || command === 'help') {
    print(HELP)
    return 0
  }
  if (command !== 'scope' || email === undefined || scope === undefined || rest.length > 0) {
    print(HELP)
    return 2
  }
  if (!isScope(scope)) {
    print('The scope must be words separated by single spaces, such as "user admin".')
    return 2
  }
  const database = await open()
  try {
    const account = await createAccounts(database, Date.now).findByEmail(email)
    if (account === undefined) {
      print(`There is no account with the address ${email}.`)
      return 1
    }
    const ended = await changeScope(database, account, scope)
    if (ended === undefined) {
      print('The account was changed in the meantime. Try again.')
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
