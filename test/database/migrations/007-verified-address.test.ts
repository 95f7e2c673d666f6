import { expect, test } from '@jest/globals'
import { Kysely } from 'kysely'
import Libsql from 'libsql'
import { libsqlDialect } from '../../../server/database/libsql-dialect.ts'
import { migrate } from '../../../server/database/migrate.ts'
import { CORE_HISTORY } from '../../../server/database/migrations/index.ts'
import type { Schema } from '../../../server/database/schema.ts'
import { STARTS } from '../fixtures.ts'

test('existing accounts count as unverified, and their sessions stay', async () => {
  const sqlite = new Libsql(':memory:')
  sqlite.exec(STARTS['of version 2'])
  const db = new Kysely<Schema>({ dialect: libsqlDialect(sqlite, 5000) })
  await migrate(db, CORE_HISTORY)
  const accounts = await db.selectFrom('accounts').select('email_verified_at').execute()
  expect(accounts.length).toBeGreaterThan(0)
  for (const account of accounts) expect(account).toEqual({ email_verified_at: null })
  expect(await db.selectFrom('sessions').select('id').execute()).toHaveLength(2)
  await db.destroy()
})
