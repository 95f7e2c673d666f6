import { z } from 'zod'
import type { Core } from '../../composition.ts'
import { parseBody } from '../../http/body.ts'
import type { AppContext } from '../../http/context.ts'
import { HttpError } from '../../http/http-error.ts'
import { addressKey } from '../../limits/client-address.ts'
import { audit } from '../../log/audit.ts'
import { AssertionRefused } from './assertion-refused.ts'
import { checkAssertion, readAssertion } from './client-assertion.ts'
import type { ServiceClient, ServiceClients } from './service-clients.ts'
import type { ServiceDatabase } from './service-tables.ts'
import { useUpAssertion } from './used-assertions.ts'

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** How a service client authenticates, for the API documents. */
export const privateKeyJwt = (publicUrl: string) => ({
  type: 'oauth2',
  description:
    'The members `client_assertion_type` and `client_assertion` of the body: a JWT that the service signs with its registered key (`private_key_jwt`, RFC 7523 §3). There is no client secret.',
  flows: { clientCredentials: { tokenUrl: `${publicUrl}/token`, scopes: {} } },
})
export const assertionFields = {
  client_assertion_type: z.literal(JWT_BEARER),
  client_assertion: z.string(),
  client_id: z.string().optional(),
}

/** Whatever they are: each fault has the same answer. */
const credentialsSchema = z.object({
  client_assertion_type: z.unknown().optional(),
  client_assertion: z.unknown().optional(),
  client_id: z.unknown().optional(),
})

/**
 * Authenticates the service client of a request by `private_key_jwt` (RFC 7523 §3, OpenID Connect Core
 * §9). The assertion is then used up.
 *
 * @throws HttpError 401 `invalid_client`, in one wording; the reason is in the log.
 */
export type AuthenticateService = (ctx: AppContext) => Promise<ServiceClient>

export function createAuthenticateService(
  { clock, config }: Pick<Core, 'clock' | 'config'>,
  database: ServiceDatabase,
  clients: ServiceClients,
): AuthenticateService {
  async function identify(ctx: AppContext): Promise<ServiceClient> {
    const body = parseBody(ctx, credentialsSchema, { form: true })
    const { client_assertion: jws, client_assertion_type: type, client_id } = body
    if (typeof jws !== 'string') throw new AssertionRefused('assertion_missing')
    if (type !== JWT_BEARER) throw new AssertionRefused('assertion_type')
    const assertion = readAssertion(jws)
    const client = await clients.find(assertion.claims.iss)
    if (client === undefined) throw new AssertionRefused('unknown_client')
    // RFC 7521 §4.2: `client_id` is optional, but if it is sent, it must name the same client.
    if (client_id !== undefined && client_id !== client.id) throw new AssertionRefused('client_id')
    await checkAssertion(assertion, client, config.issuer, clock() / 1000)
    // Last, so that an assertion that is refused for another reason is not used up.
    await useUpAssertion(database, assertion.claims)
    return client
  }

  return async function authenticateService(ctx) {
    const { log } = ctx.state
    try {
      const client = await identify(ctx)
      audit(log, 'service_authenticated', { client_id: client.id })
      return client
    } catch (error) {
      if (!(error instanceof AssertionRefused)) throw error
      log.info({ reason: error.reason }, 'service client refused')
      audit(log, 'service_refused', { source: addressKey(ctx.ip) })
      throw new HttpError('invalid_client', 'The client cannot be authenticated.', { status: 401 })
    }
  }
}
