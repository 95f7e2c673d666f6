import { join } from 'node:path'
import { expect } from '@jest/globals'
import { someEmail, TestClient } from '../support/client.ts'
import { report } from '../support/report.ts'
import { createLastingServer } from './lasting-server.ts'

/** Locks the database against writers, and returns a function that unlocks it. */
type Lock = (databaseUrl: string) => Promise<() => Promise<void>>

/**
 * Expects that writes are refused while the database is locked, and not afterwards.
 *
 * @param databaseUrl A SQLite file if it is `undefined`. Then `lock` gets the file.
 */
export async function expectRefusedWhileLocked(databaseUrl: string | undefined, lock: Lock) {
  const variables = { DATABASE_TIMEOUT: '1s' }
  const located = databaseUrl === undefined ? {} : { databaseUrl }
  const server = await createLastingServer({ preserve: true, ...located, variables })
  try {
    await server.start()
    const client = await TestClient.registered(server.url)
    const email = someEmail()
    const session = await client.signUp(email)

    const unlock = await lock(databaseUrl ?? join(server.folder, 'auth.db'))
    const rename = () => client.sendAs(session, 'PATCH', '/account', { name: 'Zoë' })
    for (const answer of await Promise.all([rename(), rename(), rename()])) {
      expect([answer.status, answer.body.error]).toEqual([503, 'temporarily_unavailable'])
    }
    const read = async () => (await client.sendAs(session, 'GET', '/account')).status
    expect(await read()).toBe(200)
    const [failure] = server.program.logs().filter(({ msg }) => msg === 'request failed')
    expect(failure).toMatchObject({ level: 'error', err: { code: expect.any(String) } })

    await unlock()
    expect((await rename()).status).toBe(200)
    await client.login(email)
    report(`a locked database: writes 503 (${failure.err.code}), reads 200`)
  } finally {
    await server.remove()
  }
}
