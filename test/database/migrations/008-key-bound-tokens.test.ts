import { expect, test } from '@jest/globals'
import { Kysely } from 'kysely'
import Libsql from 'libsql'
import { libsqlDialect } from '../../../server/database/libsql-dialect.ts'
import { migrate } from '../../../server/database/migrate.ts'
import { CORE_HISTORY } from '../../../server/database/migrations/index.ts'
import type { Schema } from '../../../server/database/schema.ts'
import { STARTS } from '../fixtures.ts'

test('existing clients are not key-bound', async () => {
  const sqlite = new Libsql(':memory:')
  sqlite.exec(STARTS['of version 2'])
  const db = new Kysely<Schema>({ dialect: libsqlDialect(sqlite, 5000) })
  await migrate(db, CORE_HISTORY)
  const clients = await db.selectFrom('clients').select('key_bound_tokens').execute()
  expect(clients.length).toBeGreaterThan(0)
  expect(clients.every(({ key_bound_tokens }) => key_bound_tokens === 0)).toBe(true)
  await db.destroy()
})
