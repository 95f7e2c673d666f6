import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { createNotesService } from '../../example/notes-service.ts'
import { createHttpServer, createLogger } from '../../server/resource-server/index.ts'
import { createClock } from '../support/clock.ts'
import { freePort, killAll, run } from '../support/process.ts'
import { startTestServer } from '../support/server.ts'
import {
  away,
  createLine,
  createPerson,
  ISSUER,
  sendRaw,
  tearDown,
  type Person,
  type Scene,
} from '../resource-server/fixtures.ts'

let scene: Scene
let ada: Person
beforeAll(async () => {
  const clock = createClock()
  const server = await startTestServer({ clock, config: { issuer: ISSUER } })
  const line = createLine(server)
  const port = await freePort()
  const url = `http://localhost:${port}`
  const logger = createLogger('silent')
  const app = await createNotesService({ issuer: ISSUER, url, logger, clock, fetch: line.fetch })
  const callback = app.callback()
  const listener = createHttpServer((request, response) => void callback(request, response))
  await listener.listen(port, '127.0.0.1')
  scene = { clock, server, line, service: { url, logs: [], stop: () => listener.stop(1000) } }
  ada = await createPerson(scene)
})
afterAll(() => tearDown(scene))
afterEach(killAll)

const write = (person: Person, body: unknown) =>
  person.call('/notes', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
const notesOf = async (person: Person): Promise<unknown> => (await person.call('/notes')).json()

test("keeps each person's notes apart", async () => {
  const grace = await createPerson(scene)
  expect(await notesOf(ada)).toEqual({ notes: [] })
  const written = await write(ada, { text: 'first' })
  expect([written.status, await written.json()]).toEqual([201, { text: 'first' }])
  await write(ada, { text: 'second' })
  await write(grace, { text: 'hers' })
  expect(await notesOf(ada)).toEqual({ notes: ['first', 'second'] })
  expect(await notesOf(grace)).toEqual({ notes: ['hers'] })
  const answer = await ada.call('/notes')
  expect(answer.headers.get('cache-control')).toBe('no-store')
})

test('recognizes a person on another client', async () => {
  const { email } = ada.client.session!.account!
  const other = await createPerson(scene)
  await other.client.signOut()
  await other.client.signIn({ email, password: 'a long and winding road' })
  expect(await notesOf(other)).toEqual(await notesOf(ada))
})

test.each([{}, { text: '' }, { text: 5 }, { text: 'x'.repeat(10_001) }])(
  'refuses the note %j',
  async (body) => {
    expect((await write(ada, body)).status).toBe(400)
  },
)

test.each([
  ['GET', '/nothing', 404],
  ['PUT', '/notes', 405],
] as const)('%s %s is %d', async (method, path, status) => {
  expect((await ada.call(path, { method })).status).toBe(status)
})

test('refuses a recorded request', async () => {
  await write(ada, { text: 'stolen' })
  const captured = ada.toService().at(-1)!
  const before = await notesOf(ada)
  expect((await sendRaw(captured)).status).toBe(401)
  expect((await sendRaw({ ...captured, method: 'GET', body: '' })).status).toBe(401)
  expect((await fetch(`${scene.service.url}/notes`)).status).toBe(401)
  expect(await notesOf(ada)).toEqual(before)
})

describe('as a program', () => {
  const start = async (env: Record<string, string> = {}) =>
    run('example/serve-notes.ts', {
      PORT: String(await freePort()),
      ISSUER: `http://localhost:${await freePort()}`,
      ...env,
    })

  test('starts without an auth server, logs a warning, and stops at Ctrl-C', async () => {
    const port = String(await freePort())
    const program = await start({ PORT: port })
    await program.stdout.until(/"msg":"Ready at http:\/\/localhost:\d+, for the tokens of [^\n]*\n/)
    expect(program.logs()[0]).toMatchObject({
      level: 'warn',
      msg: expect.stringContaining('cannot be fetched: http://localhost:'),
    })
    const answer = await fetch(`http://localhost:${port}/.well-known/jwks.json`)
    expect(answer.status).toBe(200)
    program.signal('SIGINT')
    program.signal('SIGINT')
    expect(await program.exit).toBe(0)
  })

  test('exits with one sentence if its port is taken', async () => {
    const { port } = new URL(scene.service.url)
    const program = await start({ PORT: port })
    expect(await program.exit).toBe(1)
    expect(await program.stderr.ended).toBe(
      `The service cannot start: The service cannot listen on PORT ${port} (EADDRINUSE). Choose another port.\n`,
    )
  })

  test.each<[string, Record<string, string>, RegExp]>([
    ['a bad ISSUER', { ISSUER: 'nonsense' }, /issuer must be an http/],
    ['a bad PORT', { PORT: 'x' }, /url must be an http/],
  ])('exits with one sentence for %s', async (_, env, words) => {
    const program = await start(env)
    expect(await program.exit).toBe(1)
    expect(await program.stderr.ended).toMatch(words)
    expect((await program.stderr.ended).trim().split('\n')).toHaveLength(1)
  })
})

test('answers 503 while the auth server is unreachable', async () => {
  scene.line.instead = away
  scene.clock.advance(90_000)
  const late = await createPerson(scene)
  expect((await late.call('/notes')).status).toBe(503)
  scene.line.instead = undefined
  scene.clock.advance(5)
  expect((await late.call('/notes')).status).toBe(200)
})
