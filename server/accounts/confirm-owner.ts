import { z } from 'zod'
import type { Core } from '../composition.ts'
import type { FeatureParts } from '../feature.ts'
import { bodyHas, parseBody } from '../http/body.ts'
import type { Handler } from '../http/context.ts'
import { opaque } from '../http/fields.ts'
import type { SessionState } from '../sessions/authenticate.ts'
import { password } from './account-fields.ts'

const passwordSchema = z.object({ password })
const proofSchema = (member: string) =>
  z.object({ [member]: opaque }).transform((body) => body[member] ?? '')

/**
 * Asks whoever is signed in to prove it again, because a token alone may be stolen: by the password,
 * or by a proof that a feature takes in its place. Throws if the body holds no good proof.
 */
export function createConfirmOwner(
  { signIn }: Pick<Core, 'signIn'>,
  features: readonly Pick<FeatureParts, 'proofs'>[],
): Handler<SessionState> {
  const proofs = features.flatMap((feature) => Object.entries(feature.proofs ?? {}))
  return async function confirmOwner(ctx) {
    const other = proofs.find(([member]) => bodyHas(ctx, member))
    if (other === undefined || bodyHas(ctx, 'password')) {
      await signIn.confirm(ctx.state.session, parseBody(ctx, passwordSchema).password)
    } else {
      const [member, check] = other
      await check(ctx, parseBody(ctx, proofSchema(member)))
    }
  }
}
