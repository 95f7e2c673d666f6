/** A client generated from the document, and a program that uses it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JWK } from 'jose'
import openapiTypescript, { astToString } from 'openapi-typescript'
import ts from 'typescript'
import { features } from '../../../server/features.ts'
import { GOOD_PASSWORD, someEmail, TestClient } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

const ROOT = join(import.meta.dirname, '../../..')

const PROGRAM = `
import createClient from 'openapi-fetch'
import type { paths } from './api.d.ts'

type Open = (jwe: string) => Promise<string>
type Key = { readonly kty: string; readonly use: 'enc' }
type Person = { readonly email: string; readonly password: string }

export async function signUpAndRead(baseUrl: string, key: Key, person: Person, toBearer: Open) {
  const api = createClient<paths, 'application/json'>({ baseUrl })
  const registration = await api.POST('/clients', { body: { jwks: { keys: [key] } } })
  if (registration.error) throw new Error(registration.error.error_description)
  const { client_id } = registration.data
  const signUp = await api.POST('/account', { body: { ...person, client_id } })
  if (signUp.error) throw new Error(signUp.error.error_description)
  const authorization = \`Bearer \${await toBearer(signUp.data.access_token)}\`
  const read = await api.GET('/account', { headers: { authorization } })
  if (read.error) throw new Error(read.error.error_description)
  const { account, database_key } = read.data
  const key_: string | null = database_key
  return { email: account.email, isSameKey: key_ === signUp.data.database_key }
}

/** Never called: what the compiler must refuse. */
export async function mistakes(api: ReturnType<typeof createClient<paths, 'application/json'>>) {
  // @ts-expect-error -- a member is missing
  await api.POST('/account', { body: { email: 'ada@mail.test', client_id: 'x' } })
  // @ts-expect-error -- the key is not for encryption
  await api.POST('/clients', { body: { jwks: { keys: [{ kty: 'EC', use: 'sig' }] } } })
  // @ts-expect-error -- there is no such route
  await api.GET('/accounts')
  // @ts-expect-error -- no parameter
  await api.GET('/clients/{client_id}/configuration')
  const { error } = await api.POST('/account/login', { body: { email: '', password: '', client_id: '' } })
  // @ts-expect-error -- no such code
  return error?.error === 'no_such_code'
}
`

interface Program {
  readonly signUpAndRead: (
    url: string,
    key: JWK,
    person: { email: string; password: string },
    toBearer: (jwe: string) => Promise<string>,
  ) => Promise<{ email: string; isSameKey: boolean }>
}

let server: TestServer
let folder: string
let program: string
beforeAll(async () => {
  server = await startTestServer({ features })
  // Inside the project, so that package imports resolve.
  await mkdir(join(ROOT, 'out'), { recursive: true })
  folder = await mkdtemp(join(ROOT, 'out/generated-client-'))
  program = join(folder, 'program.ts')
  const types = await openapiTypescript(new URL(`${server.url}/openapi.json`))
  await writeFile(join(folder, 'api.d.ts'), astToString(types))
  await writeFile(program, PROGRAM)
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true })
})

test('the generated types accept the program and refuse its mistakes', () => {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT)
  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([program], options))
  expect(
    diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  ).toEqual([])
})

test('the program signs up and reads its account', async () => {
  const { signUpAndRead } = (await import(program)) as Program
  const email = someEmail()
  const client = await TestClient.create(server.url)
  const toBearer = async (jwe: string) => client.seal(await client.open(jwe))
  const person = { email, password: GOOD_PASSWORD }
  const read = await signUpAndRead(server.url, client.publicJwk, person, toBearer)
  expect(read).toEqual({ email, isSameKey: true })
})
