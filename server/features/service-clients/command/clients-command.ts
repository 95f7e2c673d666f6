import { readFile } from 'node:fs/promises'
import { toTable } from '../../../commands/table.ts'
import type { Config } from '../../../config/config.ts'
import { migrate } from '../../../database/migrate.ts'
import type { Database } from '../../../database/open.ts'
import { StartupError } from '../../../errors/startup-error.ts'
import { audit } from '../../../log/audit.ts'
import type { Logger } from '../../../log/logger.ts'
import { createServiceClients, type ServiceClient } from '../service-clients.ts'
import { checkServiceKeys } from '../service-keys.ts'
import { SERVICE_HISTORY, serviceDatabase } from '../service-tables.ts'
import { HELP, parseClientsArguments, type ClientsCommand } from './clients-arguments.ts'

/** What a command works with. */
export interface CommandParts {
  readonly config: Pick<Config, 'algorithms'>
  /** Opens the database. Called only if the arguments are valid. */
  readonly open: () => Promise<Database>
  readonly logger: Logger
  /** Takes one line of the result. */
  readonly print: (line: string) => void
  /** Takes one line of advice, or an error. */
  readonly note: (line: string) => void
}

/**
 * Runs one `npm run clients` command.
 *
 * @returns The exit code: 0 for success, 1 if there is nothing to change, 2 for wrong arguments.
 * @throws StartupError saying what went wrong and how to fix it.
 */
export async function clientsCommand(
  args: readonly string[],
  parts: CommandParts,
): Promise<number> {
  const { json, asked } = parseClientsArguments(args)
  if (typeof asked === 'string') {
    parts.note(`${asked} See: npm run clients -- --help`)
    return 2
  }
  if (asked.command === 'help') {
    parts.print(HELP)
    return 0
  }
  const added = asked.command === 'add' ? await read(asked, parts.config) : undefined
  const database = await parts.open()
  try {
    await migrate(database, SERVICE_HISTORY)
    const clients = createServiceClients(serviceDatabase(database))
    if (added !== undefined) return await add(added)
    return asked.command === 'remove' ? await remove(asked.id) : await list()

    async function add(client: ServiceClient): Promise<number> {
      if (!(await clients.add(client))) {
        parts.note(
          `A service client with this encryption key is registered already: ${client.id}. To change it, remove it first.`,
        )
        return 1
      }
      audit(parts.logger, 'service_client_added', { client_id: client.id })
      parts.print(json ? JSON.stringify(describe(client)) : client.id)
      return 0
    }

    async function remove(id: string): Promise<number> {
      if (!(await clients.remove(id))) {
        parts.note(`There is no service client ${id}.`)
        return 1
      }
      audit(parts.logger, 'service_client_removed', { client_id: id })
      parts.print(json ? JSON.stringify({ client_id: id }) : `Removed ${id}.`)
      return 0
    }

    async function list(): Promise<number> {
      const all = (await clients.list()).map(describe)
      if (json) parts.print(JSON.stringify(all))
      else tableOf(all).forEach(parts.print)
      return 0
    }
  } finally {
    await database.destroy()
  }
}

async function read(
  { name, jwks: path, scope }: Extract<ClientsCommand, { command: 'add' }>,
  { algorithms }: Pick<Config, 'algorithms'>,
): Promise<ServiceClient> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new StartupError([`${path} cannot be read. Check the path and its permissions.`])
  })
  let set: unknown
  try {
    set = JSON.parse(text)
  } catch {
    throw new StartupError([`${path} is not JSON.`])
  }
  try {
    const keys = await checkServiceKeys(set, algorithms)
    return { ...keys, name, scope, createdAt: Date.now() }
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    throw new StartupError(error.problems.map((problem) => `${path}: ${problem}`))
  }
}

const describe = ({ id, name, scope, signingKey, encryptionKey, createdAt }: ServiceClient) => ({
  client_id: id,
  client_name: name,
  scope,
  signing_alg: signingKey.alg,
  encryption_alg: encryptionKey.alg,
  created_at: new Date(createdAt).toISOString(),
})

function tableOf(all: readonly ReturnType<typeof describe>[]): string[] {
  if (all.length === 0) return ['There are no service clients.']
  const rows = all.map(({ created_at, ...row }) => [
    row.client_id,
    row.client_name,
    row.scope,
    row.signing_alg,
    row.encryption_alg,
    created_at.slice(0, 16).replace('T', ' '),
  ])
  return toTable([['client_id', 'name', 'scope', 'signs with', 'encryption', 'added'], ...rows])
}
