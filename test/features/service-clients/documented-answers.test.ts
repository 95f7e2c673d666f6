/** What a service is answered, against the document of the API. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { features } from '../../../server/features.ts'
import { fetchApiDocument, type ApiDocument } from '../../support/api-document.ts'
import { GOOD_PASSWORD, TestClient } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'
import { Service, startServiceServer } from './service.ts'

let server: TestServer
let service: Service
/** `undefined` if the feature api-docs was taken out. */
let api: ApiDocument | undefined
beforeAll(async () => {
  server = await startServiceServer({ features })
  service = await Service.create(server)
  api = await fetchApiDocument(server.url)
})
afterAll(() => server.stop())

test('a service token is answered as documented', async () => {
  for (const scope of ['notes', 'notes introspect']) {
    const answer = await service.token({ scope })
    expect(answer.status).toBe(200)
    api?.check('POST /token', answer)
  }
  const refused = await service.token({ scope: 'admin' })
  expect(refused.status).toBe(400)
  api?.check('POST /token', refused)
})

test.each([
  ['in JSON', {}],
  ['as a JWT', { accept: 'application/token-introspection+jwt' }],
])('an introspection is answered as documented, %s', async (_, headers) => {
  const bearer = await TestClient.registered(server.url)
  const bound = await TestClient.registered(server.url, { key_bound_tokens: true })
  const sessions = await Promise.all([bearer, bound].map((client) => client.signUp()))
  const serviceToken = await service.open((await service.token()).body.access_token as string)
  const change = { current_password: GOOD_PASSWORD, new_password: 'another winding road' }
  const changed = await bearer.sendAs(sessions[0]!, 'PUT', '/account/password', change)
  const nextGeneration = await bearer.open(changed.body.access_token as string)
  const [ended, keyBound] = sessions.map(({ accessJws }) => accessJws)
  for (const [jws, active] of [
    [nextGeneration, true],
    [keyBound!, true],
    [serviceToken, true],
    [ended!, false],
  ] as const) {
    const answer = await service.introspect(jws, headers)
    expect(answer.status).toBe(200)
    if (answer.body !== undefined) expect(answer.body.active).toBe(active)
    api?.check('POST /introspect', answer)
  }
})
