import type { Client } from '../clients/clients.ts'
import type { Database } from '../database/open.ts'
import type { Account } from '../database/schema.ts'
import { lockoutKey, type Lockout } from '../limits/lockout.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import type { Accounts } from './accounts.ts'
import { emailKey } from './email.ts'
import type { PasswordHasher } from './password-hash.ts'

/** Who tries to prove that they are somebody. */
export interface Attempt {
  readonly email: string
  readonly password: string
  readonly client: Client
  /** See limits/client-address.ts. */
  readonly address: string
}

export interface SignIn {
  /**
   * The account whose password this is, or `undefined`. An unknown address takes the same steps and
   * the same time as a wrong password.
   *
   * @throws TooManyTries while there have been too many attempts; UnavailableError.
   */
  check(attempt: Attempt): Promise<Account | undefined>
}

interface SignInDependencies {
  readonly database: Database
  readonly clock: () => number
  readonly accounts: Accounts
  readonly passwords: PasswordHasher
  readonly rateLimits: RateLimits
  /** `undefined` where logins are not limited at all. */
  readonly lockout: Lockout | undefined
}

export function createSignIn(dependencies: SignInDependencies): SignIn {
  const { database, clock, accounts, passwords, rateLimits, lockout } = dependencies

  /** Whether somebody is signed in to the address's account on this client. */
  async function isKnownClient(key: string, clientId: string): Promise<boolean> {
    const row = await database
      .selectFrom('sessions')
      .innerJoin('accounts', 'accounts.id', 'sessions.account_id')
      .select('sessions.id')
      .where('accounts.email_key', '=', key)
      .where('sessions.client_id', '=', clientId)
      .where('sessions.expires_at', '>', clock())
      .executeTakeFirst()
    return row !== undefined
  }

  return {
    async check({ email, password, client, address }) {
      const key = emailKey(email)
      const isKnown = await isKnownClient(key, client.id)
      const who = lockoutKey(key, { isKnownClient: isKnown, clientId: client.id, address })
      await lockout?.attempt(who)
      // After the lockout: what it refuses uses up no allowance. Strangers share that of an account; a
      // client of its own is not held up by them.
      await rateLimits.consume(
        'login',
        'account',
        isKnown ? `client:${client.id}:${key}` : `email:${key}`,
      )
      const account = await accounts.findByEmail(email)
      const isRight = await passwords.verify(account?.password_hash, password)
      if (account === undefined || !isRight) return undefined
      await lockout?.clear(who)
      if (passwords.needsRehash(account.password_hash)) {
        await accounts.rehash(account, await passwords.hash(password))
      }
      return account
    },
  }
}
