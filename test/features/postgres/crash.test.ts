import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { setTimeout as sleep } from 'node:timers/promises'
import { clientOf, codeOf, signedUp, startServer, type Party } from '../../support/auth-client.ts'
import { openAt } from '../../support/database.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import { startPostgres, type PostgresServer } from '../../support/postgres.ts'
import type { TestServer } from '../../support/server.ts'

/** The machine's clock, because a new epoch begins with the next full second. */
const realTime = Object.assign(() => Date.now(), { advance: () => undefined })

describePostgres('when PostgreSQL has crashed, and has forgotten bound requests,', () => {
  let postgres: PostgresServer
  let server: TestServer
  let party: Party

  beforeAll(async () => {
    postgres = await startPostgres()
    const database = await openAt(postgres.url, { timeout: 1000 })
    server = await startServer({}, { database, clock: realTime })
  })
  beforeEach(async () => {
    party = await signedUp(server)
    await postgres.crash()
    await postgres.start()
    // The first queries may still meet connections that the crash has cut.
    while ((await fetch(`${server.url}/readyz`)).status !== 200) await sleep(20)
  })
  afterAll(async () => {
    await server.stop()
    await server.database.destroy()
    await postgres.remove()
  })

  test('a request is bound again, and nobody notices', async () => {
    const { client } = party
    expect((await client.fetch('/account')).status).toBe(200)
  })

  test('many simultaneous requests end no session', async () => {
    const { client } = party
    const outcomes = Array.from({ length: 20 }, () =>
      client.fetch('/account').then(
        ({ status }) => status,
        (error: unknown) => codeOf(Promise.reject(error as Error)),
      ),
    )
    for (const outcome of await Promise.all(outcomes)) {
      expect([200, 401, 'temporarily_unavailable']).toContain(outcome)
    }
    expect((await client.fetch('/account')).status).toBe(200)
  })

  test('a renewal may fail once, but ends no session', async () => {
    const { client, store } = party
    // In the first millisecond of a second, it does not even fail.
    const first = await client.refresh().then(
      () => 'done',
      (error: unknown) => codeOf(Promise.reject(error as Error)),
    )
    expect(['done', 'temporarily_unavailable']).toContain(first)
    await client.refresh()
    expect((await clientOf(server, { store }).client.resume())?.sessionId).toBe(
      client.session?.sessionId,
    )
  })
})
