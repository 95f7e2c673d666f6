import { z } from 'zod'
import { recipientOf, type Client } from '../../clients/clients.ts'
import { defineFeature, type FeatureVariables } from '../../feature.ts'
import type { SessionState } from '../../sessions/authenticate.ts'
import type { Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { tokenRefused } from '../../http/bearer-challenge.ts'
import { audit } from '../../log/audit.ts'
import { seal } from '../../token/jwe/seal-jwe.ts'
import { seald } from './seald.ts'
import type { Vendor } from './vendor.ts'

const signUpMembers = {
  user_license_token: z.string().meta({ description: 'A JWE for the client.' }),
}

/**
 * Issues tokens for a third party's SDK, whose secret stays on the server. The tokens are encrypted to
 * the client, like all others.
 */
export function createLicenseToken<V extends FeatureVariables>(vendor: Vendor<V>) {
  return defineFeature<V>({
    variables: vendor.variables,
    contradictions: (_values, isSet) => vendor.contradictions(isSet),
    create({ clients, clock, config, rateLimits }, values) {
      const signLicense = vendor.createSigner(values, clock)
      if (signLicense === undefined) return {}

      const answerFor = async (accountId: string, client: Client) => ({
        user_license_token: seal(
          await signLicense(accountId),
          recipientOf(client),
          config.algorithms.encryptionEnc,
          { cty: 'JWT' },
        ),
      })

      /** Issues a fresh token to the signed-in account, under the rate limit of refreshes. */
      const renew: Handler<SessionState> = async (ctx) => {
        const { account, clientId, id } = ctx.state.session
        await rateLimits.consume('refresh', 'account', `license ${account.id}`)
        const client = await clients.find(clientId)
        // The client was removed, and its sessions with it.
        if (client === undefined) throw tokenRefused()
        ctx.body = await answerFor(account.id, client)
        audit(ctx.state.log, 'license_token_issued', {
          account_id: account.id,
          session_id: id,
          client_id: clientId,
        })
      }

      return {
        routes: ({ signedIn }) => {
          const description = {
            summary: "A fresh token for the third party's SDK.",
            200: z.object(signUpMembers),
            429: ['rate_limited'],
          } as const
          signedIn('POST', '/account/license-token', documented(renew, description))
        },
        signUpMembers,
        async signUpAnswer(account, client, log) {
          const answer = await answerFor(account.id, client)
          audit(log, 'license_token_issued', { account_id: account.id, client_id: client.id })
          return answer
        },
      }
    },
  })
}

export const licenseToken = createLicenseToken(seald)
