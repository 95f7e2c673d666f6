import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { exportPKCS8 } from 'jose'
import { createNotesService } from '../../../example/notes-service.ts'
import { createHttpServer } from '../../../server/listener/http-server.ts'
import { createLogger } from '../../../server/log/logger.ts'
import { createLine, createPerson, ISSUER, tearDown } from '../../resource-server/fixtures.ts'
import { createClock } from '../../support/clock.ts'
import { freePort, killAll, run } from '../../support/process.ts'
import { makeKeys, Service, startServiceServer } from './service.ts'

let folder: string
let keys: Awaited<ReturnType<typeof makeKeys>>
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'notes-'))
  keys = await makeKeys()
})
afterEach(async () => {
  await killAll()
  await rm(folder, { recursive: true, force: true })
})

test('the example refuses a session that was ended elsewhere', async () => {
  const clock = createClock()
  const server = await startServiceServer({ clock, config: { issuer: ISSUER } })
  const line = createLine(server)
  await Service.create(server, { keys })
  const url = `http://localhost:${await freePort()}`
  const app = await createNotesService({
    issuer: ISSUER,
    url,
    logger: createLogger('silent'),
    clock,
    fetch: line.fetch,
    encryptionKey: await exportPKCS8(keys.enc.privateKey),
    introspection: { signingKey: await exportPKCS8(keys.sig.privateKey) },
  })
  const callback = app.callback()
  const listener = createHttpServer((request, response) => void callback(request, response))
  await listener.listen(Number(new URL(url).port), '127.0.0.1')
  const service = { url, logs: [], stop: () => listener.stop(1000) }
  const scene = { clock, server, line, service }
  try {
    const [ada, elsewhere] = [await createPerson(scene), await createPerson(scene)]
    const { email } = ada.client.session!.account!
    await elsewhere.client.signOut()
    await elsewhere.client.signIn({ email, password: 'a long and winding road' })
    expect((await ada.call('/notes')).status).toBe(200)

    await elsewhere.client.account.changePassword('a long and winding road', 'a shorter way home')
    clock.advance(5)
    expect((await ada.call('/notes')).status).toBe(401)
    expect((await elsewhere.call('/notes')).status).toBe(200)
  } finally {
    await tearDown(scene)
  }
})

test('the program reads its keys from files, and names one that it cannot read', async () => {
  const [SIGNING_KEY, ENCRYPTION_KEY] = [join(folder, 'sig.pem'), join(folder, 'enc.pem')]
  await writeFile(ENCRYPTION_KEY, await exportPKCS8(keys.enc.privateKey))
  const start = async () => {
    const [PORT, other] = [String(await freePort()), await freePort()]
    const ISSUER = `http://localhost:${other}`
    const env = { PORT, ISSUER, SIGNING_KEY, ENCRYPTION_KEY }
    return { program: run('example/serve-notes.ts', env), PORT }
  }
  const { program: stopped } = await start()
  expect(await stopped.exit).toBe(1)
  expect(await stopped.stderr.ended).toContain(`${SIGNING_KEY} cannot be read.`)

  await writeFile(SIGNING_KEY, await exportPKCS8(keys.sig.privateKey))
  const { program, PORT } = await start()
  await program.stdout.until(/"msg":"Ready at /)
  const answer = await fetch(`http://localhost:${PORT}/.well-known/jwks.json`)
  expect(await answer.json()).toMatchObject({ keys: [{ kid: keys.id }] })
})
