import { ANSWER_TYPE, JOSE } from '../../../protocol/sealed-bodies.ts'
import { recipientOf, type Client } from '../../clients/clients.ts'
import type { Core } from '../../composition.ts'
import type { AppContext } from '../../http/context.ts'
import { sign } from '../../token/signature.ts'
import { seal } from '../../token/jwe/seal-jwe.ts'
import { nowInSeconds } from '../../token/token-context.ts'

/**
 * Creates a function that replaces a JSON answer by a nested JWT for one client. The claims tie it
 * to the request (`req`) and to the HTTP status, so that a proxy can neither swap nor alter answers.
 */
export function createSealAnswer({ config, keystore, tokens }: Core) {
  return function sealAnswer(ctx: AppContext, client: Client, req: string): void {
    const claims = {
      iss: config.issuer,
      aud: client.id,
      iat: nowInSeconds(tokens),
      status: ctx.status,
      req,
      body: ctx.body,
    }
    const jws = sign(claims, ANSWER_TYPE, keystore.signingKey)
    const { encryptionEnc } = config.algorithms
    ctx.body = seal(jws, recipientOf(client), encryptionEnc, { cty: 'JWT' })
    ctx.type = JOSE
  }
}
