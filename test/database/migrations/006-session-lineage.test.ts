import { expect, test } from '@jest/globals'
import { Kysely } from 'kysely'
import Libsql from 'libsql'
import { libsqlDialect } from '../../../server/database/libsql-dialect.ts'
import { migrate } from '../../../server/database/migrate.ts'
import { CORE_HISTORY } from '../../../server/database/migrations/index.ts'
import type { Schema } from '../../../server/database/schema.ts'
import { STARTS } from '../fixtures.ts'

test('existing sessions get generation 0, and their refresh tokens no salt', async () => {
  const sqlite = new Libsql(':memory:')
  sqlite.exec(STARTS['of version 2'])
  const db = new Kysely<Schema>({ dialect: libsqlDialect(sqlite, 5000) })
  await migrate(db, CORE_HISTORY)
  expect(await db.selectFrom('sessions').select(['id', 'generation']).execute()).toEqual([
    { id: 's', generation: 0 },
    { id: 't', generation: 0 },
  ])
  expect(await db.selectFrom('refresh_tokens').selectAll().execute()).toEqual([
    { jti_hash: 'r', session_id: 't', used_at: null, expires_at: 9, salt: null },
  ])
  await db.destroy()
})
