/**
 * A process that migrates the databases it is given, and reports the outcome of each. With
 * `killAfter`, it kills itself after that many statements.
 */
import process from 'node:process'
import { Kysely } from 'kysely'
import Libsql from 'libsql'
import { migrate } from '../../server/database/migrate.ts'
import { CORE_HISTORY } from '../../server/database/migrations/index.ts'
import { openDatabase } from '../../server/database/open.ts'
import type { Schema } from '../../server/database/schema.ts'
import { libsqlDialect } from '../../server/database/libsql-dialect.ts'

export interface Task {
  readonly file: string
  readonly killAfter?: number
}

async function killDuringMigration(file: string, killAfter: number): Promise<void> {
  let statements = 0
  const db = new Kysely<Schema>({
    dialect: libsqlDialect(new Libsql(file), 5000),
    log() {
      if (++statements === killAfter) process.kill(process.pid, 'SIGKILL')
    },
  })
  await migrate(db, CORE_HISTORY)
}

async function perform({ file, killAfter }: Task): Promise<string> {
  try {
    if (killAfter === undefined) await (await openDatabase(file)).destroy()
    else await killDuringMigration(file, killAfter)
    return 'migrated'
  } catch (error) {
    return String(error)
  }
}

process.on('message', (task: Task) => {
  void perform(task).then((outcome) => process.send?.(outcome))
})
process.send?.('ready')
