import { z } from 'zod'
import { registered, type TokenKind } from '../../token/claims.ts'

/** Lets the holder set a new password; the audience is the one path that takes it. */
export const resetToken = {
  typ: 'reset+jwt',
  audience: '/account/password-reset',
  claims: z.strictObject(registered),
} as const satisfies TokenKind
