/** Disks that are full or read-only: writes are refused, and nothing that was stored is lost. */
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../support/client.ts'
import { report } from '../support/report.ts'
import { createLastingServer, type LastingServer } from './lasting-server.ts'
import { describeDisk, mountSmallDisk, type SmallDisk } from './small-disk.ts'

/** More writes than the last blocks of a full disk have room for. */
const MOST_WRITES = 500

describeDisk('a disk', () => {
  let disk: SmallDisk
  let server: LastingServer
  let client: TestClient
  let session: TestSession
  /** The last name that the server has stored. */
  let name: string | null
  const email = someEmail()

  beforeEach(async () => {
    disk = await mountSmallDisk()
    const databaseUrl = `file:${join(disk.path, 'auth.db')}`
    server = await createLastingServer({ preserve: true, databaseUrl })
    await server.start()
    client = await TestClient.registered(server.url)
    session = await client.signUp(email)
    name = null
  })
  afterEach(async () => {
    await server.remove()
    await disk.remove()
  })

  const rename = async (to: string) => {
    const answer = await client.sendAs(session, 'PATCH', '/account', { name: to })
    if (answer.status === 200) name = to
    return answer
  }

  /** Writes until a write fails, and returns the number of successes. */
  async function writeUntilRefused(): Promise<number> {
    for (let writes = 0; writes < MOST_WRITES; writes++) {
      const answer = await rename('x'.repeat(100) + String(writes))
      if (answer.status === 200) continue
      expect([answer.status, answer.body.error]).toEqual([503, 'temporarily_unavailable'])
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      return writes
    }
    throw new Error('The disk never refused a write.')
  }

  const failures = () =>
    server.program.logs().filter(({ msg }) => msg === 'request failed') as {
      err: { code: string }
    }[]

  async function expectReading(): Promise<void> {
    const { status, body } = await client.sendAs(session, 'GET', '/account')
    expect([status, body.account?.name]).toEqual([200, name])
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  }

  async function expectEverythingThere(): Promise<void> {
    const { status, body } = await client.sendAs(session, 'GET', '/account')
    expect([status, body.account?.name]).toEqual([200, name])
    await client.login(email, GOOD_PASSWORD)
  }

  test('that is full refuses writes, still reads, and works again once there is room', async () => {
    await disk.fill()
    const written = await writeUntilRefused()
    expect(failures().length).toBeGreaterThan(0)
    for (const { err } of failures()) expect(err.code).toMatch(/^SQLITE_(FULL|IOERR)/)
    await expectReading()
    await server.end('SIGKILL')
    await server.start()
    await expectReading()
    await writeUntilRefused()

    await disk.empty()
    expect((await rename('after')).status).toBe(200)
    await expectEverythingThere()
    await server.end('SIGKILL')
    await server.start()
    await expectEverythingThere()
    report(`a full disk: 503 after ${written} writes, and nothing lost`)
  })

  test('that fails refuses writes until the server restarts on a good disk', async () => {
    await disk.fail()
    await writeUntilRefused()
    const codes = failures().map(({ err }) => err.code)
    for (const code of codes) expect(code).toMatch(/^SQLITE_(READONLY|IOERR)/)
    await expectReading()
    await server.end('SIGKILL')
    await disk.remount('rw')
    await server.start()
    await expectEverythingThere()
    report(`a disk that fails: 503 (${codes.join(', ')}), and nothing lost`)
  })

  test('that is read-only at the start stops it with one sentence', async () => {
    await server.end('SIGTERM')
    await disk.remount('ro')
    const program = server.launch()
    expect(await program.exit).toBe(1)
    expect(program.stderr.text).toMatch(/cannot be opened for writing.*Check DATABASE_URL/)
    await disk.remount('rw')
    await server.start()
    await expectEverythingThere()
    report('a read-only disk: the start fails with one sentence, and nothing is lost')
  })

  test('that is full at the start of a server with new keys stops it with one sentence', async () => {
    await server.end('SIGTERM')
    const databaseUrl = `file:${join(disk.path, 'new.db')}`
    const regenerating = await createLastingServer({ preserve: false, databaseUrl })
    try {
      await regenerating.start()
      const somebody = await TestClient.registered(regenerating.url)
      await somebody.signUp()
      await regenerating.end('SIGTERM')
      await disk.fill()
      const program = regenerating.launch()
      expect(await program.exit).toBe(1)
      expect(program.stdout.text).toBe('')
      expect(program.stderr.text).toMatch(
        /^The server cannot start:\n\n {2}- The database .*new\.db cannot .*disk.*\n\n$/,
      )
    } finally {
      await regenerating.remove()
    }
    report('a full disk: a start with new keys fails with one sentence')
  })
})
