/** `npm run call` as a program, with a real server. */
import { describe, expect, test } from '@jest/globals'
import { createNotesService } from '../../../example/notes-service.ts'
import { createHttpServer, createLogger } from '../../../server/resource-server/index.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import { freePort } from '../../support/process.ts'
import { ISSUER, useScene } from './fixtures.ts'

const scene = useScene()

test('signs up, sends requests, signs out and in again', async () => {
  const email = someEmail()
  const up = await scene.call(['sign-up', email, '--name', 'Ada'], { input: `${GOOD_PASSWORD}\n` })
  expect(up.code).toBe(0)
  const { account, session_id } = JSON.parse(up.stdout)
  expect(account).toMatchObject({ email, name: 'Ada' })

  const read = await scene.call(['GET', '/account'])
  expect([read.code, read.stderr]).toEqual([0, '✓ 200 OK\n'])
  expect(JSON.parse(read.stdout)).toMatchObject({ account, session_id })

  const renamed = await scene.call(['PATCH', '/account', '{"name":"Ada Lovelace"}'])
  expect([renamed.code, renamed.stderr]).toEqual([0, '✓ 200 OK\n'])
  expect(JSON.parse(renamed.stdout).account.name).toBe('Ada Lovelace')
  const piped = await scene.call(['patch', '/account', '-'], { input: '{"name":"A. L."}' })
  expect(JSON.parse(piped.stdout).account.name).toBe('A. L.')

  const clients = await scene.server.database.selectFrom('clients').select('client_name').execute()
  expect(clients).toContainEqual({ client_name: 'npm run call' })

  expect(await scene.call(['sign-out'])).toEqual({ code: 0, stdout: '', stderr: '✓ Signed out.\n' })
  const over = await scene.server.database.selectFrom('sessions').select('id').execute()
  expect(over.map(({ id }) => id)).not.toContain(session_id)
  for (const args of [['GET', '/account'], ['sign-out']]) {
    const { code, stdout, stderr } = await scene.call(args)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^✗ Nobody is signed in\./)
  }
  const again = await scene.call(['sign-in', email], { input: GOOD_PASSWORD })
  expect([again.code, again.stderr]).toEqual([0, `✓ Signed in as ${email}.\n`])
  expect(JSON.parse(again.stdout).account.id).toBe(account.id)
})

describe('exits with 1', () => {
  test('for an error answer, whose body goes to stdout', async () => {
    await scene.signUp()
    const { code, stdout, stderr } = await scene.call(['GET', '/nowhere'])
    expect([code, JSON.parse(stdout).error]).toEqual([1, 'not_found'])
    expect(stderr).toMatch(/^✗ 404 Not Found: .+\n {2}X-Request-Id: [\w-]+\n$/)
  })

  test('for a second sign-up and a wrong password', async () => {
    const email = await scene.signUp()
    const up = await scene.call(['sign-up', email], { input: GOOD_PASSWORD })
    expect([up.code, up.stdout]).toEqual([1, ''])
    expect(up.stderr).toMatch(/^✗ 409 Conflict: .+\n {2}Sign in to it: npm run call -- sign-in/)
    const wrong = await scene.call(['sign-in', email], { input: 'another password' })
    expect([wrong.code, wrong.stdout]).toEqual([1, ''])
    expect(wrong.stderr).toMatch(/^✗ 401 Unauthorized: /)
  })

  test('for a session that has ended', async () => {
    await scene.signUp()
    expect(await scene.call(['POST', '/account/logout'])).toEqual({
      code: 0,
      stdout: '',
      stderr: '✓ 204 No Content\n',
    })
    const { code, stderr } = await scene.call(['GET', '/account'])
    expect([code, stderr]).toEqual([
      1,
      '✗ The session has ended.\n  Sign in again: npm run call -- sign-in <email>\n',
    ])
  })
})

test('exits with 2 for wrong arguments, and prints help to stdout', async () => {
  const wrong = await scene.call(['fly'])
  expect([wrong.code, wrong.stdout]).toEqual([2, ''])
  expect(wrong.stderr).toBe('✗ There is no command "fly". See: npm run call -- --help\n')
  const help = await scene.call(['--help'])
  expect([help.code, help.stderr]).toEqual([0, ''])
  expect(help.stdout).toMatch(/^Usage: npm run call -- <command>/)
})

test('sends tokens to another service only if it is listed', async () => {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const logger = createLogger('silent')
  const fetch = (url: string) => globalThis.fetch(url.replace(ISSUER, scene.server.url))
  const app = await createNotesService({ issuer: ISSUER, url, logger, clock: scene.clock, fetch })
  const callback = app.callback()
  const listener = createHttpServer((request, response) => void callback(request, response))
  await listener.listen(port, '127.0.0.1')
  try {
    await scene.signUp()
    const note = ['POST', `${url}/notes`, '{"text":"hello"}']
    const refused = await scene.call(note)
    expect([refused.code, refused.stdout]).toEqual([1, ''])
    expect(refused.stderr).toContain('add --service <url>')
    const written = await scene.call([...note, '--service', url])
    expect([written.code, written.stdout]).toEqual([0, '{"text":"hello"}'])
  } finally {
    await listener.stop(1000)
  }
})
