import { recipientOf, type Client } from '../../clients/clients.ts'
import type { Core } from '../../composition.ts'
import type { AppContext } from '../../http/context.ts'
import { sign } from '../../token/issue.ts'
import { seal } from '../../token/jwe/seal-jwe.ts'
import { nowInSeconds } from '../../token/token-context.ts'
import { JOSE } from './media-type.ts'

/** RFC 8725 §3.11: no token passes for an answer, and no answer for a token. */
const TYP = 'answer+jwt'

/**
 * Creates a function that replaces a JSON answer by a nested JWT for one client. The claims tie it
 * to the request (`req`) and to the HTTP status, so that a proxy can neither swap nor alter answers.
 */
export function createSealAnswer({ config, keystore, tokens }: Core) {
  return async function sealAnswer(ctx: AppContext, client: Client, req: string): Promise<void> {
    const claims = {
      iss: config.issuer,
      aud: client.id,
      iat: nowInSeconds(tokens),
      status: ctx.status,
      req,
      body: ctx.body,
    }
    const jws = await sign(claims, TYP, keystore.signingKey)
    const { encryptionEnc } = config.algorithms
    ctx.body = seal(jws, recipientOf(client), encryptionEnc, { cty: 'JWT' })
    ctx.type = JOSE
  }
}
