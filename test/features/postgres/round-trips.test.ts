import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import type { Database } from '../../../server/database/open.ts'
import { TestClient, type TestSession } from '../../support/client.ts'
import { openAt } from '../../support/database.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import { startPostgres, type PostgresServer } from '../../support/postgres.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

describePostgres('on PostgreSQL', () => {
  let postgres: PostgresServer
  let database: Database
  let server: TestServer
  let client: TestClient
  let session: TestSession
  beforeAll(async () => {
    postgres = await startPostgres()
    database = await openAt(postgres.url)
    server = await startTestServer({ database })
    client = await TestClient.registered(server.url)
    session = await client.signUp()
  })
  afterAll(async () => {
    await server.stop()
    await database.destroy()
    await postgres.remove()
  })

  /** The number of statements for this many concurrent bound requests. */
  async function statementsOf(count: number): Promise<number> {
    const htu = `${server.config.publicUrl}/account`
    const bound = await Promise.all(
      Array.from({ length: count }, () => {
        const iat = Math.floor(server.clock() / 1000)
        return client.seal(session.accessJws, { req: { jti: randomUUID(), iat, htm: 'GET', htu } })
      }),
    )
    const execute = jest.spyOn(database.getExecutor(), 'executeQuery')
    const answers = await Promise.all(
      bound.map((token) =>
        client.send('GET', '/account', undefined, { authorization: `Bearer ${token}` }),
      ),
    )
    const statements = execute.mock.calls.length
    execute.mockRestore()
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    return statements
  }

  test('a bound request takes two statements, and concurrent requests take fewer each', async () => {
    expect(await statementsOf(1)).toBe(2)
    expect(await statementsOf(40)).toBeLessThan(2 * 40)
  })
})
