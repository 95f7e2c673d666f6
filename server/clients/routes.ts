import { z } from 'zod'
import { recipientOf, type Client } from './clients.ts'
import { checkRegistration, registrationSchema } from './registration.ts'
import type { Handler } from '../http/context.ts'
import { documented } from '../http/documented.ts'
import { HttpError } from '../http/http-error.ts'
import { parseBody } from '../http/body.ts'
import type { Core } from '../composition.ts'
import { tokenConfiguration } from './token-configuration.ts'
import { seal } from '../token/jwe/seal-jwe.ts'
import { jwkSet } from '../discovery/answer-keys.ts'

const clientAnswer = z
  .object({
    client_id: z.string().meta({ description: 'The thumbprint of the key (RFC 7638).' }),
    client_id_issued_at: z.int(),
    client_name: z.string().optional(),
    jwks: jwkSet,
    key_bound_tokens: z.boolean(),
  })
  .meta({ id: 'Client' })

export function clientRoutes({ config, clients, keystore }: Core) {
  /** Registers an installation by its public key (RFC 7591 §3). */
  const register: Handler = async (ctx) => {
    const body = parseBody(ctx, registrationSchema, { code: 'invalid_client_metadata' })
    const registration = await checkRegistration(body, config)
    if (keystore.jwks.keys.some(({ kid }) => kid === registration.id)) {
      throw new HttpError('invalid_client_metadata', "The key in jwks is the server's own.")
    }
    const { client, isNew } = await clients.register(registration)
    ctx.status = isNew ? 201 : 200
    ctx.body = presentClient(client)
  }

  /** Answers with the token configuration, encrypted to this client. */
  const configuration: Handler = async (ctx) => {
    const client = await clients.find(ctx.params['client_id'] ?? '')
    if (client === undefined) throw new HttpError('not_found', 'There is no such client.')
    const text = JSON.stringify(tokenConfiguration(config, client.id))
    ctx.type = 'application/jose'
    ctx.body = seal(text, recipientOf(client), config.algorithms.encryptionEnc, { cty: 'json' })
  }

  const presentClient = (client: Client) => ({
    client_id: client.id,
    client_id_issued_at: Math.floor(client.createdAt / 1000),
    ...(client.name === null ? {} : { client_name: client.name }),
    jwks: { keys: [{ ...client.jwk, use: 'enc', alg: client.alg, kid: client.id }] },
    key_bound_tokens: client.isKeyBound,
  })

  return {
    register: documented(register, {
      summary: 'Registers an installation by its public key (RFC 7591).',
      body: registrationSchema,
      200: clientAnswer,
      201: clientAnswer,
      400: ['invalid_client_metadata'],
    }),
    configuration: documented(configuration, {
      summary: 'The token configuration, as a JWE for this client.',
      200: 'application/jose',
      404: ['not_found'],
    }),
  }
}
