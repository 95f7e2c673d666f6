import { describe } from '@jest/globals'
import { findPostgres } from './postgres.ts'

const isInstalled = (await findPostgres()) !== undefined
const WHY = 'skipped: PostgreSQL is not installed (Debian: apt-get install postgresql)'

/** Tests that need PostgreSQL. REQUIRE_POSTGRES=1 makes them fail instead of being skipped. */
export function describePostgres(name: string, tests: () => void): void {
  if (isInstalled || process.env['REQUIRE_POSTGRES'] === '1') describe(name, tests)
  else describe.skip(`${name} (${WHY})`, tests)
}
