import { z } from 'zod'
import type { Core } from '../composition.ts'
import type { FeatureParts } from '../feature.ts'
import { bodyHas, parseBody } from '../http/body.ts'
import type { Handler } from '../http/context.ts'
import { documented } from '../http/documented.ts'
import { opaque } from '../http/fields.ts'
import type { SessionState } from '../sessions/authenticate.ts'
import { password } from './account-fields.ts'

const passwordSchema = z.object({ password })
const proofSchema = (member: string) => z.object({ [member]: opaque })

/**
 * Asks the signed-in person to prove their identity again, because a token may be stolen: with the
 * password, or with a proof that a feature accepts in its place. Throws if the body has no valid
 * proof.
 */
export function createConfirmOwner(
  { signIn }: Pick<Core, 'signIn'>,
  features: readonly Pick<FeatureParts, 'proofs'>[],
): Handler<SessionState> {
  const proofs = features.flatMap((feature) => Object.entries(feature.proofs ?? {}))
  const confirmOwner: Handler<SessionState> = async (ctx) => {
    const other = proofs.find(([member]) => bodyHas(ctx, member))
    if (other === undefined || bodyHas(ctx, 'password')) {
      await signIn.confirm(ctx.state.session, parseBody(ctx, passwordSchema).password)
    } else {
      const [member, check] = other
      await check(ctx, parseBody(ctx, proofSchema(member))[member] ?? '')
    }
  }
  const body = [passwordSchema, ...proofs.map(([member]) => proofSchema(member))]
  return documented(confirmOwner, { body, 400: ['invalid_grant'], 429: ['rate_limited'] })
}
