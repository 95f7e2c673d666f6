import { expect, test } from '@jest/globals'
import { migrate } from '../../../server/database/migrate.ts'
import {
  FEDERATION_HISTORY,
  federationDatabase,
} from '../../../server/features/federation/tables.ts'
import { sweepUsed, useUp } from '../../../server/features/federation/used-id-tokens.ts'
import { openTestDatabase } from '../../support/database.ts'

test('a token is accepted once, and forgotten a minute after it has expired', async () => {
  const database = await openTestDatabase()
  await migrate(database, FEDERATION_HISTORY)
  const db = federationDatabase(database)
  await useUp(db, { id: 'a', expiresAt: 10.5 })
  await useUp(db, { id: 'b', expiresAt: 11 })
  await expect(useUp(db, { id: 'a', expiresAt: 10.5 })).rejects.toMatchObject({ reason: 'used' })
  expect(await sweepUsed(db, 70_499)).toBe(0)
  expect(await sweepUsed(db, 70_500)).toBe(1)
  await useUp(db, { id: 'a', expiresAt: 12 })
  expect(await sweepUsed(db, 72_000)).toBe(2)
  await database.destroy()
})
