import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { Database } from '../../../server/database/open.ts'
import { createBatchedLookup } from '../../../server/features/postgres/find-sessions.ts'
import { addSession, fill, NOW } from '../../sessions/fixtures.ts'
import { openAt } from '../../support/database.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import { startPostgres, type PostgresServer } from '../../support/postgres.ts'

describePostgres('sessions that are looked up together', () => {
  let server: PostgresServer
  let db: Database
  beforeAll(async () => {
    server = await startPostgres()
    db = await openAt(server.url)
    await fill(db)
    for (const id of ['a', 'b', 'c']) await addSession(db, id)
    await addSession(db, 'bobs', { accountId: 'bob' })
    await addSession(db, 'over', { expiresAt: NOW })
  })
  afterAll(async () => {
    await db.destroy()
    await server.remove()
  })

  const claims = (sid: string, others = {}) => ({ sid, sub: 'ada', client_id: 'phone', ...others })

  test('take one round trip, and each call finds its own or nothing', async () => {
    const execute = jest.spyOn(db.getExecutor(), 'executeQuery')
    const find = createBatchedLookup(db)
    const found = await Promise.all([
      find(claims('a'), NOW),
      find(claims('nobody'), NOW),
      find(claims('bobs', { sub: 'bob' }), NOW),
      find(claims('bobs'), NOW),
      find(claims('b', { client_id: 'tab' }), NOW),
      find(claims('b', { gen: 1 }), NOW),
      find(claims('over'), NOW),
      find(claims('a'), NOW),
    ])
    expect(execute).toHaveBeenCalledTimes(1)
    expect(found.map((row) => row?.id)).toEqual([
      'ada',
      undefined,
      'bob',
      undefined,
      undefined,
      undefined,
      undefined,
      'ada',
    ])
    expect(found[0]).toMatchObject({ database_key: 'sealed', expires_at: NOW + 3_600_000 })
    expect(Object.keys(found[0]!)).not.toContain('asked')
  })

  test('are not cached, so one that has just ended is not found', async () => {
    const find = createBatchedLookup(db)
    expect(await find(claims('c'), NOW)).toBeDefined()
    const [gone] = await Promise.all([
      db
        .deleteFrom('sessions')
        .where('id', '=', 'c')
        .execute()
        .then(() => find(claims('c'), NOW)),
      ...Array.from({ length: 50 }, () => find(claims('a'), NOW)),
    ])
    expect(gone).toBeUndefined()
  })
})
