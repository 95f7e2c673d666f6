import { expect, test } from '@jest/globals'
import { loadConfig } from '../../../server/config/config.ts'
import { postgres } from '../../../server/features/postgres/index.ts'

const load = (env: NodeJS.ProcessEnv) => loadConfig([postgres], env, '/nonexistent/.env')

test.each(['postgres://db.test/auth', 'postgresql:///auth'])('%s is a database', (url) => {
  expect(load({ DATABASE_URL: url }).database).toBe(url)
})

test.each(['mysql://a/b', 'postgres:auth', 'POSTGRES://db/auth', 'postgres://[', 'auth.db'])(
  '%s is none',
  (url) => {
    expect(() => load({ DATABASE_URL: url })).toThrow(
      'DATABASE_URL must be file: and a path, such as file:./data/auth.db, or the postgres:// URL of a database.',
    )
  },
)

test('the pool has ten connections, or as many as DATABASE_POOL_SIZE says', () => {
  expect(load({}).featureVariables).toEqual({ DATABASE_POOL_SIZE: 10 })
  expect(load({ DATABASE_POOL_SIZE: '1' }).featureVariables).toEqual({ DATABASE_POOL_SIZE: 1 })
  for (const value of ['', '0', '1001', 'many']) {
    expect(() => load({ DATABASE_POOL_SIZE: value, PORT: 'x' })).toThrow(
      /PORT must [^\n]*\nDATABASE_POOL_SIZE /,
    )
  }
})
