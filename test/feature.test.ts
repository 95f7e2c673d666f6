import { afterEach, describe, expect, test } from '@jest/globals'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sql, type Migration } from 'kysely'
import { z } from 'zod'
import { featureExample } from '../scripts/feature-files.ts'
import { loadConfig } from '../server/config/config.ts'
import { HttpError } from '../server/http/http-error.ts'
import { defineFeature, type Feature } from '../server/feature.ts'
import { GOOD_PASSWORD, TestClient } from './support/client.ts'
import { startTestServer, type TestServer } from './support/server.ts'

let server: TestServer | undefined
afterEach(async () => {
  await server?.stop()
  server = undefined
})

const ROOT = join(import.meta.dirname, '..')
let folder: string | undefined
afterEach(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true })
  folder = undefined
})

/** The example of the README, as it stands there, in a folder where its imports lead to the real files. */
async function readmeFeature(): Promise<Feature> {
  await mkdir(join(ROOT, 'out'), { recursive: true })
  folder = await mkdtemp(join(ROOT, 'out/readme-'))
  const [path, text] = featureExample(await readFile(join(ROOT, 'README.md'), 'utf8'))
  const file = join(folder, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  await writeFile(
    join(folder, 'server/feature.ts'),
    `export * from ${JSON.stringify(join(ROOT, 'server/feature.ts'))}\n`,
  )
  const { greeting } = (await import(file)) as { greeting: Feature }
  return greeting
}

async function start(features: Feature[], variables: Record<string, string> = {}) {
  server = await startTestServer({ features, variables })
  return { server, client: await TestClient.registered(server.url) }
}

test.each([
  [{}, 'Hello'],
  [{ GREETING: 'Welcome' }, 'Welcome'],
])('the README’s feature has a variable and a protected route: %j', async (variables, word) => {
  const greeting = await readmeFeature()
  const { client } = await start([greeting], variables)
  const ada = await client.signUp('ada@mail.test')
  const answer = await client.sendAs(ada, 'GET', '/greeting')
  expect(answer.body).toEqual({ text: `${word}, ada@mail.test` })
  expect((await client.send('GET', '/greeting')).status).toBe(401)
})

test('a server without features has its core, and nothing else', async () => {
  const { client } = await start([])
  const ada = await client.signUp()
  expect((await client.sendAs(ada, 'GET', '/account')).status).toBe(200)
  for (const path of ['/', '/greeting', '/admin/accounts', '/account/password-reset']) {
    expect((await client.sendAs(ada, 'GET', path)).status).toBe(404)
  }
})

describe('a feature can add', () => {
  test('a grant, which the metadata lists', async () => {
    const grant_type = 'urn:example:grant'
    const { client } = await start([
      defineFeature({
        create: () => ({
          grants: {
            [grant_type]: (ctx) => {
              ctx.body = { granted: true }
            },
          },
        }),
      }),
    ])
    const granted = await client.send('POST', '/token', { grant_type })
    expect([granted.status, granted.body]).toEqual([200, { granted: true }])
    const other = await client.send('POST', '/token', { grant_type: 'password' })
    expect(other.body).toEqual({
      error: 'unsupported_grant_type',
      error_description: `grant_type must be refresh_token or ${grant_type}.`,
    })
    const metadata = await client.send('GET', '/.well-known/oauth-authorization-server')
    expect(metadata.body.grant_types_supported).toEqual(['refresh_token', grant_type])
  })

  test('members of the metadata and of the answer to a sign-up', async () => {
    const { client } = await start([
      defineFeature({
        create: () => ({
          metadata: { greeting_supported: true },
          signUpAnswer: (account, { id }) =>
            Promise.resolve({ greeting: `${account.email} ${id}` }),
        }),
      }),
    ])
    const { answer } = await client.signUp('ada@mail.test')
    expect(answer.body).toMatchObject({
      greeting: `ada@mail.test ${client.id}`,
      account: { email: 'ada@mail.test' },
    })
    const metadata = await client.send('GET', '/.well-known/oauth-authorization-server')
    expect(metadata.body).toMatchObject({ greeting_supported: true })
  })

  describe('a proof that is accepted in place of the password', () => {
    const proving = defineFeature({
      create: () => ({
        proofs: {
          stamp: async (ctx, stamp) => {
            await Promise.resolve()
            if (stamp !== ctx.state.session.account.email) {
              throw new HttpError('invalid_request', 'The stamp is not valid.')
            }
          },
        },
      }),
    })

    test.each<[unknown, number, RegExp | undefined]>([
      [{ stamp: 'ada@mail.test' }, 204, undefined],
      [{ password: GOOD_PASSWORD }, 204, undefined],
      [{ password: GOOD_PASSWORD, stamp: 'eve@mail.test' }, 204, undefined],
      [{ password: 'another', stamp: 'ada@mail.test' }, 400, /^The password is wrong/],
      [{ stamp: 'eve@mail.test' }, 400, /^The stamp is not valid/],
      [{ stamp: 7 }, 400, /^stamp must be a string/],
      [{}, 400, /^password must be a string/],
    ])('%j gives %i', async (body, status, message) => {
      const { client } = await start([proving])
      const ada = await client.signUp('ada@mail.test')
      const answer = await client.sendAs(ada, 'DELETE', '/account', body)
      expect(answer.status).toBe(status)
      if (message !== undefined) expect(answer.body.error_description).toMatch(message)
      const after = await client.sendAs(ada, 'GET', '/account')
      expect(after.status).toBe(status === 204 ? 401 : 200)
    })
  })

  test('variables, whose faults are all reported', () => {
    const list = defineFeature({
      variables: {
        NAMES: z.string().transform((text, ctx) => {
          for (const name of text.split(',')) {
            ctx.addIssue({ code: 'custom', message: `must not hold ${name}` })
          }
        }),
      },
      create: () => ({}),
    })
    expect(() => loadConfig([list], { NAMES: 'a,b' }, '/nonexistent/.env')).toThrow(
      'NAMES must not hold a.\nNAMES must not hold b.',
    )
  })

  test('a middleware that sees every request, even one without a route', async () => {
    const paths: string[] = []
    const { client } = await start([
      defineFeature({
        create: () => ({
          async middleware(ctx, next) {
            paths.push(ctx.path)
            await next()
          },
        }),
      }),
    ])
    await client.send('GET', '/nowhere')
    expect(paths).toEqual(['/clients', '/nowhere'])
  })

  test('tables with a history of their own', async () => {
    const notes: Migration = { up: (db) => sql`create table notes (id text)`.execute(db).then() }
    const { server } = await start([
      defineFeature({
        history: { table: 'notes_migration', migrations: { '001-notes': notes } },
        create: () => ({}),
      }),
    ])
    const { rows } = await sql`select name from notes_migration`.execute(server.database)
    expect(rows).toEqual([{ name: '001-notes' }])
    expect((await sql`select * from notes`.execute(server.database)).rows).toEqual([])
  })
})
