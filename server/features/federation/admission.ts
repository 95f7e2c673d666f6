import { createAccounts } from '../../accounts/accounts.ts'
import { handOver } from '../../accounts/change-account.ts'
import { NO_PASSWORD } from '../../passwords/password-hash.ts'
import type { Core } from '../../composition.ts'
import type { Account } from '../../database/schema.ts'
import { ConflictError } from '../../database/storage-error.ts'
import { inTransaction } from '../../database/transaction.ts'
import { lockAccount } from '../../sessions/lock-session.ts'
import type { IdToken } from './id-token-verifier.ts'
import { IdTokenRefused } from './id-token-refused.ts'
import { findOwner, insertIdentity } from './identities.ts'
import type { FederationDatabase } from './tables.ts'
import { useUp } from './used-id-tokens.ts'

/** The account that an ID token leads to, and how it was found. */
export type Admission =
  | {
      readonly outcome: 'known' | 'linked' | 'created'
      readonly account: Account
      /** The sessions that linking ended. */
      readonly ended: readonly string[]
    }
  /** An account with the address exists, but the issuer is not trusted to link to it. */
  | { readonly outcome: 'account_exists' }

/**
 * Finds, links or creates the account of the person in an ID token, and uses up the token.
 *
 * @throws IdTokenRefused; StorageError if other requests change the account time and again.
 */
export type Admit = (token: IdToken) => Promise<Admission>

export function createAdmit(database: FederationDatabase, clock: Core['clock']): Admit {
  return (token) =>
    inTransaction(database, async (trx) => {
      const admission = await admit(trx, token, clock)
      if (admission.outcome !== 'account_exists') await useUp(trx, token)
      return admission
    })
}

async function admit(
  trx: FederationDatabase,
  token: IdToken,
  clock: Core['clock'],
): Promise<Admission> {
  const { email, name, issuer, isEmailVerified } = token
  const accounts = createAccounts(trx, clock)
  // Reads the account before the identity. If another request has just created the account, it has
  // also linked the identity, so the next query finds that.
  const account = email === undefined ? undefined : await accounts.findByEmail(email)
  const owner = await findOwner(trx, token)
  if (owner !== undefined) return { outcome: 'known', account: owner, ended: [] }
  if (email === undefined) throw new IdTokenRefused('email')
  if (account === undefined) {
    if (!issuer.signUp) throw new IdTokenRefused('sign_up')
    const created = await accounts.create({ email, name, passwordHash: NO_PASSWORD })
    return { outcome: 'created', account: await linked(trx, created, token, clock()), ended: [] }
  }
  if (!issuer.linkVerifiedEmail || !isEmailVerified) return { outcome: 'account_exists' }
  const ended = await takeOver(trx, account)
  const current = ended && (await accounts.find(account.id))
  return {
    outcome: 'linked',
    account: await linked(trx, current, token, clock()),
    ended: ended ?? [],
  }
}

/**
 * Makes sure that only its owner can use an account. A stranger may have signed up with an address
 * that was never proved to us, so removes that account's password, identities and sessions.
 *
 * @returns The sessions that ended; `undefined` if the account has changed since it was read.
 */
async function takeOver(trx: FederationDatabase, account: Account): Promise<string[] | undefined> {
  const isProved = account.email_verified_at !== null
  if (isProved) return (await lockAccount(trx, account)) ? [] : undefined
  const ended = await handOver(trx, account, { password_hash: NO_PASSWORD })
  await trx.deleteFrom('identities').where('account_id', '=', account.id).execute()
  return ended
}

/** @param account `undefined` if another request has just changed or created it. */
async function linked(
  trx: FederationDatabase,
  account: Account | undefined,
  token: IdToken,
  now: number,
): Promise<Account> {
  if (account === undefined || (await insertIdentity(trx, account, token, now)) === undefined) {
    throw new ConflictError()
  }
  return account
}
