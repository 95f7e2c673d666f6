/** A clock that jumps, by libfaketime: as with a bad NTP server, or a paused virtual machine. */
import { existsSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { someEmail, TestClient, type TestSession } from '../support/client.ts'
import { report } from '../support/report.ts'
import { createLastingServer, type LastingServer } from './lasting-server.ts'
import { refresh } from './ledger.ts'

/** Debian has it in /usr/lib/, in a folder for each architecture. */
const library = readdirSync('/usr/lib')
  .map((name) => join('/usr/lib', name, 'faketime/libfaketimeMT.so.1'))
  .find((path) => existsSync(path))
const WHY = 'skipped: libfaketime is not installed (Debian: apt-get install libfaketime)'
const isRequired = process.env['REQUIRE_FAULTS'] === '1'

const describeClock = (name: string, tests: () => void): void => {
  if (library !== undefined || isRequired) describe(name, tests)
  else describe.skip(`${name} (${WHY})`, tests)
}

/** Written as for libfaketime. The longest jumps are within the lifetime of a refresh token. */
const JUMPS = ['-1h', '+1h', '-10d', '+10d']

describeClock('a clock that jumps', () => {
  let server: LastingServer
  let clockFile: string
  beforeEach(async () => {
    server = await createLastingServer({
      preserve: true,
      variables: {
        LD_PRELOAD: library!,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        get FAKETIME_TIMESTAMP_FILE() {
          return clockFile
        },
      },
    })
    clockFile = join(server.folder, 'clock')
  })
  afterEach(() => server.remove())

  test.each(JUMPS)('by %s and back loses no session', async (jump) => {
    await writeFile(clockFile, '+0')
    await server.start()
    const client = await TestClient.registered(server.url)
    const email = someEmail()
    const session = await client.signUp(email)
    const use = async (by: TestSession) => (await client.sendAs(by, 'GET', '/account')).status
    const serverTime = async () => Date.parse((await fetch(server.url)).headers.get('date') ?? '')

    await writeFile(clockFile, jump)
    const hours = Number.parseInt(jump) * (jump.endsWith('d') ? 24 : 1)
    // Node caches the Date header for a second.
    while (Math.round(((await serverTime()) - Date.now()) / 3_600_000) !== hours) await sleep(100)
    // The token is from the future, or has expired.
    expect(await use(session)).toBe(401)
    const meanwhile = await client.login(email)
    expect(await use(meanwhile)).toBe(200)
    expect((await refresh(client, meanwhile.refreshJws)).status).toBe(200)

    await writeFile(clockFile, '+0')
    expect(await use(session)).toBe(200)
    expect((await refresh(client, session.refreshJws)).status).toBe(200)
    expect(await use(await client.login(email))).toBe(200)
    const faults = server.program.logs().filter(({ level }) => /error|fatal/.test(level as string))
    expect(faults).toEqual([])
    report(`a clock that jumps by ${jump} and back: sign-ins work at once, and no session is lost`)
  })
})
