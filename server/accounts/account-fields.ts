/** The fields of an account: what a request may say, and what the owner sees. See http/fields.ts. */
import { z } from 'zod'
import type { Account, AccountFields } from '../../protocol/account.ts'
import { MAX_EMAIL_LENGTH, MAX_PASSWORD_CODE_UNITS } from '../../protocol/limits.ts'
import type { Account as AccountRow } from '../database/schema.ts'
import { line, text } from '../http/fields.ts'
import { isEmailAddress } from './email.ts'

/** Any password, right or wrong. The password policy checks new ones. */
export const password = text(MAX_PASSWORD_CODE_UNITS)

/** A text to look up as an address. A malformed address counts as an unknown one. */
export const emailLookup = text(MAX_EMAIL_LENGTH)

export const email = emailLookup
  .refine(isEmailAddress, 'must be an e-mail address')
  .meta({ format: 'email' })

/** A person's name. */
export const name = line(200)

/** Yours to extend: what people may say about themselves when they sign up. */
export const signUpFields = {
  name: name.optional(),
} satisfies Record<keyof AccountFields, unknown>

/** Yours to extend: an account as its owner sees it. */
export const accountSchema = z
  .object({
    id: z.string(),
    email: z.string(),
    name: z.string().nullable(),
    scope: z.string(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Account' }) satisfies z.ZodType<Account>

/** Yours to extend: the stored account in that form. */
export const presentAccount = (row: AccountRow): Account => ({
  id: row.id,
  email: row.email,
  name: row.name,
  scope: row.scope,
  created_at: new Date(row.created_at).toISOString(),
})
