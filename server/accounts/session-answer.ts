import { z } from 'zod'
import type { Account } from '../database/schema.ts'
import { tokenPair } from '../sessions/token-pair.ts'
import { accountSchema, presentAccount } from './account-fields.ts'

/** The answer to signing up or in. */
export const sessionAnswer = z.object({
  account: accountSchema,
  session_id: z.string(),
  database_key: z.string(),
  ...tokenPair.shape,
})

type SignedIn = Omit<z.infer<typeof sessionAnswer>, 'account'>

/** @param signedIn What `sessions.start` returns. */
export const presentSession = (account: Account, signedIn: SignedIn) => ({
  account: presentAccount(account),
  ...signedIn,
})
