import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { sharedDatabase } from '../../../server/features/postgres/shared-tables.ts'
import { createEphemeralKeystore } from '../../../server/keystore/keystore.ts'
import { copiesTo, copying } from '../../commands/database/copying.ts'
import { TestClient } from '../../support/client.ts'
import { testConfig } from '../../support/config.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import { createDatabase, startPostgres, type PostgresServer } from '../../support/postgres.ts'
import { run } from '../../support/process.ts'
import { startTestServer } from '../../support/server.ts'

const DATABASE_COMMAND = 'server/commands/database/index.ts'

describePostgres('npm run database', () => {
  let server: PostgresServer
  let target: string
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.remove())
  const made = copying()
  const { copy, open, fillSource } = made
  beforeEach(async () => {
    target = await createDatabase(server.url)
  })

  copiesTo(made, {
    create: () => Promise.resolve(target),
    breakTable: `alter table refresh_tokens add constraint broken check (session_id <> 'bobs')`,
    mendTable: 'alter table refresh_tokens drop constraint broken',
  })

  test('keeps everybody signed in, and makes the target refuse requests bound before', async () => {
    const keystore = await createEphemeralKeystore(testConfig().algorithms)
    const first = await startTestServer({ keystore, database: await open(made.source()) })
    const client = await TestClient.registered(first.url)
    const session = await client.signUp()
    await first.stop()
    await copy(made.source(), target)
    const database = await open(target)
    const second = await startTestServer({ keystore, database, clock: first.clock })
    const moved = Object.assign(client, { url: second.url })
    const { body } = await moved.sendAs(session, 'GET', '/account')
    expect(body.database_key).toBe(session.databaseKey)
    const refresh_token = await moved.seal(session.refreshJws)
    const grant = { grant_type: 'refresh_token', refresh_token }
    expect((await moved.send('POST', '/token', grant)).status).toBe(200)
    const epochs = await sharedDatabase(database).selectFrom('replay_epoch').selectAll().execute()
    expect(epochs).toEqual([])
    await second.stop()
  })

  test('copies to DATABASE_URL, whose parameters it does not show', async () => {
    await fillSource()
    const env = { DATABASE_URL: target, DATABASE_POOL_SIZE: '1' }
    const program = run(DATABASE_COMMAND, env, ['copy', '--from', `file:${made.source()}`])
    expect([await program.exit, program.stderr.text]).toEqual([0, ''])
    expect(program.stdout.text).toMatch(/sessions: 1204\n[^]*Done/)
    expect(program.stdout.text).not.toContain('user=')
  })

  test('says what backs PostgreSQL up', async () => {
    const env = { DATABASE_URL: 'postgres://u:hunter2@db/auth' }
    const program = run(DATABASE_COMMAND, env, ['backup', '--to', 'file:/nonexistent/copy.db'])
    expect(await program.exit).toBe(1)
    expect(program.stderr.text).toBe(
      'This command is for SQLite. Back up postgres://db/auth with pg_dump.\n',
    )
  })
})
