/**
 * What people say about themselves. Each member is a column of `accounts`, visible to the account's
 * owner.
 *
 * Yours to extend: add a member here, its rule in server/accounts/account-fields.ts, and a migration.
 */
export interface AccountFields {
  readonly name: string | null
}

/** The fields that may be given at sign-up. */
export type SignUpFields = {
  readonly [Field in keyof AccountFields]?: NonNullable<AccountFields[Field]>
}

/** An account as its owner sees it. */
export interface Account extends AccountFields {
  readonly id: string
  readonly email: string
  /** Space-separated words (RFC 6749 §3.3). */
  readonly scope: string
  /** RFC 3339, UTC. */
  readonly created_at: string
}
