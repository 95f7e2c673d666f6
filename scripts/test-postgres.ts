// `npm run test:postgres`: every test that uses a database, with PostgreSQL in place of SQLite, on a
// server of its own. Arguments go to Jest, such as the name of a test file.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { features } from '../server/features.ts'
import { findPostgres, startPostgres } from '../test/support/postgres.ts'

if (!features.some(({ database }) => database?.schemes.includes('postgres'))) {
  process.stderr.write('Skipped: the feature postgres is not in server/features.ts.\n')
  process.exit(0)
}
if ((await findPostgres()) === undefined) {
  process.stderr.write(
    'Skipped: PostgreSQL is not installed (Debian: apt-get install postgresql).\n',
  )
  process.exit(process.env['REQUIRE_POSTGRES'] === '1' ? 1 : 0)
}
const given = process.argv.slice(2)
// Tests open their databases with this module. Others would do the same as in `npm test`.
const every = ['--findRelatedTests', 'test/support/database.ts']
const server = await startPostgres()
try {
  const jest = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      '--coverage=false',
      ...(given.length > 0 ? given : every),
    ],
    { stdio: 'inherit', env: { ...process.env, TEST_POSTGRES_URL: server.url } },
  )
  // Ctrl-C reaches Jest too; this process outlives it, to remove the server.
  process.on('SIGINT', () => undefined)
  const [code] = (await once(jest, 'exit')) as [number | null]
  process.exitCode = code ?? 1
} finally {
  await server.remove()
}
