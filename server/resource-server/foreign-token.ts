import { z } from 'zod'
import {
  TOKEN_TYPES,
  type AccessTokenClaims,
  type ServiceTokenClaims,
} from '../../protocol/tokens.ts'
import { access, isForItsClient, isOfItsClient, service, type TokenKind } from '../token/claims.ts'

/**
 * A token of a person or of a service as another service reads it, with any further claims of the
 * server that issued it.
 */
export const anyForeignToken: TokenKind<AccessTokenClaims | ServiceTokenClaims> = {
  typ: TOKEN_TYPES.access,
  claims: z.union([
    z.looseObject(access).refine(isForItsClient),
    z.looseObject({ ...service, sid: z.undefined().optional() }).refine(isOfItsClient),
  ]),
}
