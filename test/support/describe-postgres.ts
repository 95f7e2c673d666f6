import { describe } from '@jest/globals'
import { databaseFeatures } from './database.ts'
import { findPostgres } from './postgres.ts'

const isInstalled = (await findPostgres()) !== undefined
const isSupported = (await databaseFeatures()).some(({ database }) =>
  database?.schemes.includes('postgres'),
)
const WHY = isSupported
  ? 'PostgreSQL is not installed (Debian: apt-get install postgresql)'
  : 'the feature is not in server/features.ts'

/** Tests that need PostgreSQL. REQUIRE_POSTGRES=1 makes them fail instead of being skipped. */
export function describePostgres(name: string, tests: () => void): void {
  const isRequired = process.env['REQUIRE_POSTGRES'] === '1'
  if (isSupported && (isInstalled || isRequired)) describe(name, tests)
  else describe.skip(`${name} (skipped: ${WHY})`, tests)
}
