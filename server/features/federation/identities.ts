import { randomUUID } from 'node:crypto'
import type { ExpressionBuilder, Selectable } from 'kysely'
import type { Account } from '../../database/schema.ts'
import type { IdToken } from './id-token-verifier.ts'
import type { FederationDatabase, FederationSchema, IdentityRow } from './tables.ts'

export type Identity = Selectable<IdentityRow>

/**
 * The person in an ID token. Only `iss` and `sub` together identify a person (OpenID Connect Core §5.7).
 */
type Person = Pick<IdToken, 'issuer' | 'subject'>

/**
 * Finds the account that a person is linked to. routes.ts decides whether a link may be removed, and
 * what proves that somebody wants it. All functions here also work in a transaction, and
 * ignore dead identities: see tables.ts.
 */
export async function findOwner(
  db: FederationDatabase,
  { issuer, subject }: Person,
): Promise<Account | undefined> {
  return db
    .selectFrom('identities')
    .innerJoin('accounts', 'accounts.id', 'identities.account_id')
    .selectAll('accounts')
    .where('issuer', '=', issuer.issuer)
    .where('subject', '=', subject)
    .where(isAlive)
    .executeTakeFirst()
}

/** The identities of an account, oldest first. */
export function listIdentities(db: FederationDatabase, accountId: string): Promise<Identity[]> {
  return db
    .selectFrom('identities')
    .innerJoin('accounts', 'accounts.id', 'identities.account_id')
    .selectAll('identities')
    .where('account_id', '=', accountId)
    .where(isAlive)
    .orderBy('identities.created_at')
    .orderBy('identities.id')
    .execute()
}

/**
 * Links a person to an account.
 *
 * @param now Milliseconds since the epoch.
 * @returns `undefined` if the person is already linked to an account.
 */
export async function insertIdentity(
  trx: FederationDatabase,
  account: Account,
  { issuer, subject }: Person,
  now: number,
): Promise<Identity | undefined> {
  // A dead identity must not prevent a new link.
  await trx
    .deleteFrom('identities')
    .where('issuer', '=', issuer.issuer)
    .where('subject', '=', subject)
    .where('linked_after_proof', '=', 0)
    .where('account_id', 'in', (rows) =>
      rows.selectFrom('accounts').select('accounts.id').where('email_verified_at', 'is not', null),
    )
    .execute()
  return trx
    .insertInto('identities')
    .values({
      id: randomUUID(),
      account_id: account.id,
      issuer: issuer.issuer,
      subject,
      linked_after_proof: account.email_verified_at === null ? 0 : 1,
      created_at: now,
    })
    .onConflict((conflict) => conflict.columns(['issuer', 'subject']).doNothing())
    .returningAll()
    .executeTakeFirst()
}

/** For a query that joins `identities` and `accounts`. */
function isAlive(where: ExpressionBuilder<FederationSchema, 'identities' | 'accounts'>) {
  return where.or([
    where('identities.linked_after_proof', '=', 1),
    where('accounts.email_verified_at', 'is', null),
  ])
}
