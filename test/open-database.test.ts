import { afterEach, expect, test } from '@jest/globals'
import { integer } from '../server/config/parsers.ts'
import type { OpenedDatabase } from '../server/database-kind.ts'
import { kindOf, openConfigured } from '../server/open-database.ts'
import { openDatabase } from '../server/database/open.ts'
import { defineFeature } from '../server/feature.ts'
import { limitsInMemory } from '../server/limits/limit-store.ts'
import { createLogger } from '../server/log/logger.ts'
import { createSessionLookup } from '../server/sessions/find-session.ts'
import { startServer } from '../server/start.ts'
import { TestClient } from './support/client.ts'
import { testConfig } from './support/config.ts'
import { createCheapHasher } from './support/passwords.ts'

const LOCATION = 'other://ada:hunter2@db.test/auth?password=hunter2'
let events: string[] = []
const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  events = []
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

/** A kind of database that says what the server asks of it. */
const other = defineFeature({
  variables: { OTHER_SIZE: integer(1, 9).default(3) },
  database: {
    schemes: ['other', 'others'],
    backUpWith: 'other-dump',
    async open(url, timeout, { OTHER_SIZE }): Promise<OpenedDatabase> {
      events.push(`open ${url} ${timeout} ${OTHER_SIZE}`)
      const database = await openDatabase(':memory:')
      const find = createSessionLookup(database)
      const limits = limitsInMemory()
      return {
        database,
        takeLock(isExclusive) {
          events.push(isExclusive ? 'lock alone' : 'lock')
          return () => void events.push('release')
        },
        limitStore: {
          ...limits,
          createLimiter(limit, name) {
            events.push(`limit ${name}`)
            return limits.createLimiter(limit, name)
          },
        },
        findSession(claims, now) {
          events.push('find')
          return find(claims, now)
        },
      }
    },
  },
  create: () => ({}),
})

test('a feature opens its own URLs, and SQLite the rest', async () => {
  expect(kindOf('others:///auth', [other])).toBe(other.database)
  expect(kindOf('other.db', [other])).toBeUndefined()
  const { database, limitStore } = await openConfigured(testConfig(), [other])
  cleanups.push(() => database.destroy())
  expect([events, limitStore]).toEqual([[], undefined])
})

test('a server on such a database locks it, counts and finds sessions as the feature says', async () => {
  const variables = { DATABASE_URL: LOCATION, DATABASE_TIMEOUT: '2s', OTHER_SIZE: '7' }
  const config = testConfig({ port: 0 }, variables, [other])
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const server = await startServer(config, [other], logger, { passwords: createCheapHasher() })
  const stop = () => server.stop()
  cleanups.push(stop)
  expect(events.slice(0, 2)).toEqual([`open ${LOCATION} 2000 7`, 'lock alone'])
  expect(events).toContain('limit login')
  expect(lines.join('')).toContain('Database: other://db.test/auth"')
  expect(lines.join('')).not.toContain('hunter2')

  const client = await TestClient.registered(server.url)
  const session = await client.signUp()
  expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
  expect(events).toContain('find')
  cleanups.splice(cleanups.indexOf(stop), 1)
  await server.stop()
  expect(events.at(-1)).toBe('release')
})
