import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { setTimeout as sleep } from 'node:timers/promises'
import { lockDatabase, type Release, type TakeLock } from '../../server/database/server-lock.ts'
import { StartupError } from '../../server/errors/startup-error.ts'

/**
 * Tests of a lock, whatever the database.
 *
 * @param takeLock That of each test's database.
 * @returns What further tests of the same lock need.
 */
export function behavesAsALock(takeLock: () => TakeLock) {
  const held: Release[] = []
  let lost: Error[]
  beforeEach(() => {
    lost = []
  })
  afterEach(async () => {
    for (const release of held.splice(0)) await release()
  })

  async function take(isAlone: boolean): Promise<Release> {
    const release = await lockDatabase(takeLock(), isAlone, (error) => lost.push(error))
    held.push(release)
    return release
  }
  async function release(lock: Release): Promise<void> {
    held.splice(held.indexOf(lock), 1)
    await lock()
  }
  const refusalOf = async (isAlone: boolean) => {
    const error = await take(isAlone).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(StartupError)
    return (error as StartupError).message
  }

  test('servers with preserved keys share a database', async () => {
    await take(false)
    await take(false)
  })

  test('a server with keys of its own starts only once it is alone', async () => {
    const first = await take(false)
    expect(await refusalOf(true)).toMatch(/^Another server is using this database/)
    await release(first)
    await take(true)
  })

  test('no server starts beside one with keys of its own until that has stopped', async () => {
    const first = await take(true)
    const refusals = await Promise.all([refusalOf(true), refusalOf(false)])
    expect(refusals).toEqual([
      expect.stringMatching(/^Another server is using this database/),
      expect.stringMatching(/^A server with PRESERVE_SESSIONS_ON_REBOOT=0 is using this database/),
    ])
    await release(first)
    await take(false)
  })

  test('a server that starts waits for one that is stopping', async () => {
    const first = await take(true)
    const second = take(true)
    await sleep(200)
    await release(first)
    await second
  })

  return { take, refusalOf, lost: () => lost }
}
