/** Listeners that throw. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import { Listeners } from '../../../client/session/listeners.ts'
import { signedUp, startServer, storedSession } from '../../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'

const root = join(import.meta.dirname, '../../..')

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())
afterEach(() => {
  jest.restoreAllMocks()
})

/** Collects errors thrown in microtasks, so that they do not reach Jest, which would fail the test. */
function uncaught(): unknown[] {
  const errors: unknown[] = []
  jest.spyOn(globalThis, 'queueMicrotask').mockImplementation((work) => {
    try {
      work()
    } catch (error) {
      errors.push(error)
    }
  })
  return errors
}

test('a listener that throws stops neither the others nor the client', async () => {
  const { client, store } = await signedUp(server)
  const errors = uncaught()
  const fault = new RangeError('a bug in the page')
  let calls = 0
  client.onChange(() => {
    throw fault
  })
  client.onChange(() => calls++)
  const person = { email: someEmail(), password: GOOD_PASSWORD }
  const { sessionId } = await client.signUp(person)
  expect(client.session?.account?.email).toBe(person.email)
  expect((await storedSession(store))?.['session_id']).toBe(sessionId)
  expect([calls, errors]).toEqual([1, [fault]])
  expect((await client.refresh()).sessionId).toBe(sessionId)
  expect((await client.account.rename('Bea')).name).toBe('Bea')
  expect([calls, errors.length]).toEqual([3, 3])
  expect(await client.signOut()).toBe(true)
  expect(client.session).toBeUndefined()
  expect(await storedSession(store)).toBeUndefined()
  expect([calls, new Set(errors)]).toEqual([4, new Set([fault])])
})

test('a listener that was removed, even by itself, is not called again', () => {
  const listeners = new Listeners()
  const heard: string[] = []
  const once = listeners.add(() => {
    heard.push('once')
    once()
  })
  const off = listeners.add(() => heard.push('off'))
  listeners.add(() => heard.push('always'))
  off()
  listeners.call()
  listeners.call()
  expect(heard).toEqual(['once', 'always', 'always'])
})

test('an error thrown by a listener reaches the process as an uncaught exception', async () => {
  const program = `
    import { Listeners } from './client/session/listeners.ts'
    process.on('uncaughtException', (error) => console.log('uncaught:', error.message))
    const listeners = new Listeners()
    listeners.add(() => { throw new Error('first') })
    listeners.add(() => console.log('second'))
    listeners.call()
    console.log('on')
  `
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { cwd: root },
  )
  expect(stdout.trim().split('\n')).toEqual(['second', 'on', 'uncaught: first'])
})
