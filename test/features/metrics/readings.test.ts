import { availableParallelism } from 'node:os'
import { afterEach, expect, test } from '@jest/globals'
import { createPasswordHasher } from '../../../server/passwords/password-hash.ts'
import type { TestServerOptions } from '../../support/server.ts'
import { openAt } from '../../support/database.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import { startPostgres } from '../../support/postgres.ts'
import { scrape, startMeasuredServer } from './scrape.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function start(options?: TestServerOptions) {
  const server = await startMeasuredServer(options)
  cleanups.push(() => server.stop())
  return server
}

test('the age of the keys and its limit are shown', async () => {
  const server = await start({ config: { keyMaxAge: 7 } })
  const samples = await scrape(server)
  expect(samples.get('auth_keys_current_since_timestamp_seconds')).toBe(
    server.keystore.currentSince / 1000,
  )
  expect(samples.get('auth_keys_max_age_seconds')).toBe(7)
})

test('the memory, CPU time and event loop lag are shown', async () => {
  const samples = await scrape(await start())
  expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(1e6)
  for (const name of ['process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']) {
    expect(samples.get(name)).toBeGreaterThanOrEqual(0)
  }
})

test('the queue of password hashes is shown', async () => {
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  const argon2 = { hash: () => held.then(() => 'hash'), verify: () => held.then(() => true) }
  const passwords = createPasswordHasher({ argon2 })
  const server = await start({ passwords })
  const hashes = Array.from({ length: 9 }, (_, i) => passwords.hash('x', { account: `${i}` }))
  const atOnce = availableParallelism() < 4 ? 1 : 2
  expect((await scrape(server)).get('auth_password_hash_queue_length')).toBe(9 - atOnce)
  expect((await scrape(server)).get('auth_password_hashes_total')).toBe(0)
  release()
  await Promise.all(hashes)
  expect((await scrape(server)).get('auth_password_hash_queue_length')).toBe(0)
  expect((await scrape(server)).get('auth_password_hashes_total')).toBe(9)
})

describePostgres('on PostgreSQL', () => {
  test('the use of the connection pool is shown', async () => {
    const postgres = await startPostgres()
    cleanups.push(() => postgres.remove())
    const database = await openAt(postgres.url, { poolSize: 2 })
    cleanups.push(() => database.destroy())
    const server = await start({ database })
    const connections = async () => {
      const samples = await scrape(server)
      return ['busy', 'max', 'waiting'].map((name) =>
        samples.get(`auth_database_connections_${name}`),
      )
    }
    expect(await connections()).toEqual([0, 2, 0])
    let finish: () => void = () => undefined
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const busy = [1, 2, 3].map(() => database.connection().execute(() => finished))
    expect(await connections()).toEqual([2, 2, 1])
    finish()
    await Promise.all(busy)
    expect(await connections()).toEqual([0, 2, 0])
  })
})
