/** A service that seals its introspection requests, so that a proxy does not see the token. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { features } from '../../../server/features.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { SealingClient } from './sealing-client.ts'

/** Imported by path, because that feature may have been removed. */
const SERVICE = '../service-clients/service.ts'
interface ServiceModule {
  readonly JWT_BEARER: string
  readonly Service: { create(server: TestServer): Promise<Service> }
}
interface Service {
  assertion(): Promise<string>
  seal(jws: string): Promise<string>
}
const isThere = existsSync(join(import.meta.dirname, SERVICE))

;(isThere ? test : test.skip)('POST /introspect accepts a sealed body, once', async () => {
  const server = await startTestServer({ features, variables: { SEALED_BODIES: 'required' } })
  const { JWT_BEARER, Service } = (await import(SERVICE)) as ServiceModule
  const service = await Service.create(server)
  const client = await SealingClient.registered(server)
  const { accessJws, sessionId } = await client.signUp(someEmail(), GOOD_PASSWORD)
  const body = {
    client_assertion_type: JWT_BEARER,
    client_assertion: await service.assertion(),
    token: await service.seal(accessJws),
  }
  const request = { method: 'POST', path: '/introspect', body, accept: 'application/json' }
  const bytes = await client.sealBody(request)
  const answer = await client.send({ ...request, bytes })
  expect([answer.status, answer.body]).toMatchObject([200, { active: true, sid: sessionId }])
  expect((await client.send({ ...request, bytes })).body.error).toBe('invalid_request')
  await server.stop()
})
