import type { Kysely } from 'kysely'
import type { OpenedDatabase } from '../../database-kind.ts'
import { StartupError } from '../../errors/startup-error.ts'

/** Rows that are read and written at once: few enough for the parameters of one statement. */
const BATCH = 500
/** Rows between two lines of progress. */
const PROGRESS = 10_000

/** In this order, each row is copied after the rows it refers to. The tables of features follow. */
const CORE_TABLES = [
  'clients',
  'accounts',
  'sessions',
  'refresh_tokens',
  'password_resets',
  'known_clients',
]
/** What belongs to one database and not to its people. */
const LEFT_OUT = /migration|^migrations$|^sqlite_/

type Row = Record<string, unknown>
type Tables = Kysely<Record<string, Row>>

interface Table {
  readonly name: string
  readonly columns: readonly string[]
}

/**
 * Copies every row of a database to another one, in one transaction: after a failure the target is
 * empty, and the copy can be made again. Nobody may use either of them meanwhile.
 *
 * @param print Takes one line of progress.
 * @throws StartupError if the target is not empty or lacks a table.
 */
export async function copyDatabase(
  from: OpenedDatabase,
  to: OpenedDatabase,
  print: (line: string) => void,
): Promise<void> {
  const source = from.database as unknown as Tables
  const tables = await tablesOf(from)
  await requireEmpty(to, tables)
  await to.database.transaction().execute(async (trx) => {
    const target = trx as unknown as Tables
    for (const table of tables) {
      const copied = await copyTable(source, target, table, print)
      const [before, after] = [await countRows(source, table), await countRows(target, table)]
      if (copied !== before || copied !== after) {
        throw new StartupError([
          `${table.name}: ${copied} rows were copied of ${before}, and the target has ${after}. Stop whatever uses the databases, and copy again.`,
        ])
      }
      print(`${table.name}: ${copied}`)
    }
    // The target's servers have not seen the requests that the source's servers accepted. With
    // these tables empty, they refuse every request that was bound before the copy.
    for (const name of to.memoryTables ?? []) await target.deleteFrom(name).execute()
  })
}

async function tablesOf({ database, memoryTables = [] }: OpenedDatabase): Promise<Table[]> {
  const tables = (await database.introspection.getTables())
    .filter(({ name, isView }) => !isView && !LEFT_OUT.test(name) && !memoryTables.includes(name))
    .map(({ name, columns }) => ({ name, columns: columns.map((column) => column.name) }))
  const rank = ({ name }: Table) => {
    const index = CORE_TABLES.indexOf(name)
    return index === -1 ? CORE_TABLES.length : index
  }
  return tables.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
}

async function requireEmpty(to: OpenedDatabase, tables: readonly Table[]): Promise<void> {
  const target = to.database as unknown as Tables
  const names = new Set((await tablesOf(to)).map(({ name }) => name))
  const problems: string[] = []
  for (const table of tables) {
    if (!names.has(table.name)) {
      problems.push(
        `The source has the table ${table.name}, which this server does not know. Add its feature again, or drop the table.`,
      )
    } else if ((await countRows(target, table)) > 0) {
      problems.push(`The target is not empty: it has rows in ${table.name}. Use an empty database.`)
    }
  }
  if (problems.length > 0) throw new StartupError(problems)
}

async function countRows(db: Tables, { name }: Table): Promise<number> {
  const row = await db
    .selectFrom(name)
    .select(({ fn }) => fn.countAll<number>().as('rows'))
    .executeTakeFirstOrThrow()
  return row.rows
}

/** Copies batch by batch, in the order of the first two columns, which identify a row of any table. */
async function copyTable(
  source: Tables,
  target: Tables,
  { name, columns: [first = '', second = first] }: Table,
  print: (line: string) => void,
): Promise<number> {
  let copied = 0
  let last: Row | undefined
  for (;;) {
    let query = source.selectFrom(name).selectAll().orderBy(first).orderBy(second).limit(BATCH)
    if (last !== undefined) {
      const { [first]: lastFirst, [second]: lastSecond } = last
      query = query.where((where) =>
        where(where.refTuple(first, second), '>', where.tuple(lastFirst, lastSecond)),
      )
    }
    const rows = await query.execute()
    if (rows.length > 0) await target.insertInto(name).values(rows).execute()
    copied += rows.length
    if (copied > 0 && copied % PROGRESS === 0) print(`${name}: ${copied} so far`)
    if (rows.length < BATCH) return copied
    last = rows.at(-1)
  }
}
