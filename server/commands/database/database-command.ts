import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createClosers } from '../../closers.ts'
import type { DatabaseKind, OpenedDatabase } from '../../database-kind.ts'
import { describeDatabase } from '../../database/location.ts'
import { lockDatabase } from '../../database/server-lock.ts'
import { StartupError } from '../../errors/startup-error.ts'
import { backUp } from './back-up.ts'
import { copyDatabase } from './copy-database.ts'

const HELP = `Usage: npm run database -- backup --to <file:…>
       npm run database -- copy --from <url> --to <url>

  backup   copy a SQLite database to a new file; servers may use it meanwhile
  copy     copy everything to an empty database, while no server uses either of them
  --from   a database, such as file:./data/auth.db; DATABASE_URL by default
  --to     the same; when copying, one of the two may be left out
  --help   show this help`

/** How the command reaches databases. */
export interface DatabaseAccess {
  /** DATABASE_URL, as a location. */
  readonly configured: string
  /** @throws StartupError for a URL that does not name a database. */
  readonly toLocation: (url: string) => string
  /** `undefined` for SQLite. */
  readonly kindOf: (location: string) => DatabaseKind | undefined
  /** Opens a database with the tables of every feature. */
  readonly open: (location: string) => Promise<OpenedDatabase>
}

/**
 * Runs one `npm run database` command.
 *
 * @param print Takes one line of the result.
 * @param note Takes one line that says what is wrong with the arguments.
 * @returns The exit code: 0 for success, 2 for wrong arguments.
 * @throws StartupError if the database cannot be backed up or copied.
 */
export async function databaseCommand(
  args: readonly string[],
  { configured, toLocation, kindOf, open }: DatabaseAccess,
  print: (line: string) => void,
  note: (line: string) => void,
): Promise<number> {
  const { help, fault, ...options } = readArguments(args)
  if (help) {
    print(HELP)
    return 0
  }
  if (fault !== undefined) {
    note(`${fault} See: npm run database -- --help`)
    return 2
  }
  const [from, to] = [options.from, options.to].map((url) =>
    url === undefined ? configured : toLocation(url),
  ) as [string, string]
  if (from === to) throw new StartupError(['--from and --to name the same database.'])
  if (options.command === 'backup') {
    for (const location of [from, to]) {
      const kind = kindOf(location)
      if (kind !== undefined) throw notSqlite(location, kind)
    }
    backUp(from, to)
    print(`Backed up ${describeDatabase(from)} to ${describeDatabase(to)}`)
    return 0
  }
  if (kindOf(from) === undefined && !existsSync(from)) {
    throw new StartupError([`There is no database at ${from}.`])
  }
  print(`From ${describeDatabase(from)} to ${describeDatabase(to)}`)
  const closers = createClosers()
  try {
    const databases: OpenedDatabase[] = []
    for (const location of [from, to]) {
      const database = await open(location)
      closers.add(() => database.database.destroy())
      closers.add(await lockAlone(database, location))
      databases.push(database)
    }
    await copyDatabase(...(databases as [OpenedDatabase, OpenedDatabase]), print)
  } finally {
    await closers.close()
  }
  print(`Done. Set DATABASE_URL to the new database, and start the server.`)
  return 0
}

interface Arguments {
  readonly help: boolean
  readonly command?: string | undefined
  readonly from?: string
  readonly to?: string
  /** One sentence that says what is wrong. */
  readonly fault?: string | undefined
}

function readArguments(args: readonly string[]): Arguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        from: { type: 'string' },
        to: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowPositionals: true,
    })
    const [command, ...rest] = positionals
    return { ...values, command, fault: faultOf(command, rest, values) }
  } catch {
    return { help: false, fault: 'There is no such option, or its value is missing.' }
  }
}

function faultOf(
  command: string | undefined,
  rest: readonly string[],
  { from, to }: Pick<Arguments, 'from' | 'to'>,
): string | undefined {
  if (command === undefined) return 'A command is missing.'
  if (command !== 'backup' && command !== 'copy') {
    return `There is no command ${JSON.stringify(command)}.`
  }
  if (rest.length > 0) return `${command} takes options alone.`
  if (command === 'backup') return to === undefined ? 'backup needs --to.' : undefined
  return from === undefined && to === undefined ? 'copy needs --from or --to.' : undefined
}

const notSqlite = (location: string, { backUpWith }: DatabaseKind): StartupError =>
  new StartupError([
    `This command is for SQLite. Back up ${describeDatabase(location)} with ${backUpWith}.`,
  ])

/** @throws StartupError if a server uses the database: what it writes might be missing in the copy. */
async function lockAlone({ takeLock }: OpenedDatabase, location: string) {
  try {
    return await lockDatabase(takeLock, true, (error) => {
      throw error
    })
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    throw new StartupError([
      `A server is using ${describeDatabase(location)}. Stop every server before you copy.`,
    ])
  }
}
