import { z } from 'zod'
import type { ConfirmationKey } from '../../../protocol/tokens.ts'
import type { Core } from '../../composition.ts'
import { parseBody } from '../../http/body.ts'
import type { Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { text } from '../../http/fields.ts'
import { narrowScope } from '../../http/require-scope.ts'
import { issue } from '../../token/issue.ts'
import type { Recipient } from '../../token/jwe/seal-jwe.ts'
import { serviceToken } from '../../token/claims.ts'
import { assertionFields, type AuthenticateService } from './authenticate-service.ts'
import { tokenPair } from '../../sessions/token-pair.ts'
import type { ServiceClient } from './service-clients.ts'
import { toPublicKey } from './service-keys.ts'

const scopeSchema = z.object({ scope: text(1024).optional() })
const tokenAnswer = tokenPair.omit({ refresh_token: true }).extend({ scope: z.string() })

/** A token for the service itself (RFC 6749 §4.4), with which it calls other services. */
export function createClientCredentials(
  { config, tokens }: Pick<Core, 'config' | 'tokens'>,
  authenticate: AuthenticateService,
): Handler {
  const clientCredentials: Handler = async (ctx) => {
    const client = await authenticate(ctx)
    const body = parseBody(ctx, scopeSchema, { form: true })
    const scope = narrowScope(client.scope, body.scope)
    const { id, encryptionKey } = client
    const { kty, crv, x, y } = encryptionKey
    const cnf = { jwk: { kty, crv, x, y } as ConfirmationKey }
    const claims = { sub: id, aud: id, client_id: id, scope, cnf }
    const lifetime = config.accessTokenTtl
    ctx.body = {
      access_token: issue(tokens, serviceToken, claims, recipientOf(client), lifetime),
      token_type: 'Bearer',
      expires_in: lifetime,
      scope,
    }
  }
  return documented(clientCredentials, {
    summary: 'A token for a service itself (RFC 6749 §4.4), which is key-bound.',
    body: scopeSchema.extend(assertionFields),
    200: tokenAnswer,
    400: ['invalid_scope'],
    401: ['invalid_client'],
  })
}

/** A service client as a recipient of tokens and answers. */
export const recipientOf = ({ id, encryptionKey }: ServiceClient): Recipient => ({
  kid: id,
  alg: encryptionKey.alg,
  publicKey: toPublicKey(encryptionKey),
})
