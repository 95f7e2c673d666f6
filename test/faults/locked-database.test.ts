/** A database that another process has locked, such as a backup or an operator's transaction. */
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import Libsql from 'libsql'
import { report } from '../support/report.ts'
import { createLastingServer } from './lasting-server.ts'
import { expectRefusedWhileLocked } from './refused-while-locked.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

test('SQLite answers writes with 503 while another process writes', async () => {
  await expectRefusedWhileLocked(undefined, (file) => {
    const other = new Libsql(file)
    other.exec('begin immediate')
    return Promise.resolve(() => {
      other.exec('rollback')
      other.close()
      return Promise.resolve()
    })
  })
})

test('SQLite that is locked at a start stops it with one sentence', async () => {
  const server = await createLastingServer({
    preserve: true,
    variables: { DATABASE_TIMEOUT: '1s' },
  })
  cleanups.push(() => server.remove())
  await server.start()
  await server.end('SIGKILL')
  const other = new Libsql(join(server.folder, 'auth.db'))
  other.exec('begin immediate')
  const program = server.launch()
  expect(await program.exit).toBe(1)
  expect(program.stderr.text).toMatch(
    /The database .* cannot be opened for writing \(SQLITE_BUSY\)/,
  )
  other.exec('rollback')
  other.close()
  await server.start()
  report('a locked database at a start: one sentence, and the next start goes well')
})
