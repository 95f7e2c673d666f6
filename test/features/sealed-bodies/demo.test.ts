import { afterEach, expect, test } from '@jest/globals'
import { sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import { createClock } from '../../support/clock.ts'
import { killAll, run } from '../../support/process.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let server: TestServer
afterEach(async () => {
  await killAll()
  await server.stop()
})

test.each([
  ['optional', 'the address, the password, and the database_key'],
  ['required', 'the address and the password'],
])('the demo shows what a proxy can read of a sign-up: SEALED_BODIES=%s', async (policy, read) => {
  server = await startTestServer({
    clock: createClock(Math.floor(Date.now() / 1000) * 1000),
    features: [sealedBodies],
    variables: { SEALED_BODIES: policy },
  })
  const demo = run('example/demo.ts', {}, [server.url])
  expect([await demo.exit, demo.stderr.text]).toEqual([0, ''])
  const words = demo.stdout.text.replaceAll(/\s+/g, ' ')
  expect(words).toContain(`✗ The proxy has read ${read}.`)
  expect(words).toContain(
    '✓ The proxy has read nothing of this: the address, the password, and the database_key.',
  )
  expect(words).toContain('The body is sealed, too')
  expect(words).toContain('✗ The same request again: refused, 401')
  expect(await server.database.selectFrom('accounts').selectAll().execute()).toEqual([])
})
