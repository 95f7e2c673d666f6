import type { Client } from '../clients/clients.ts'
import type { Database } from '../database/open.ts'
import type { Account } from '../database/schema.ts'
import { RefusedError } from '../errors/refused-error.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import type { WrongPasswords } from '../limits/wrong-passwords.ts'
import { isKnownClient, knownClientKey } from '../limits/known-clients.ts'
import type { Session } from '../sessions/session.ts'
import type { Accounts } from './accounts.ts'
import { emailKey } from './email.ts'
import type { PasswordHasher } from '../passwords/password-hash.ts'

/** Who tries to sign in. */
export interface Attempt {
  readonly email: string
  readonly password: string
  readonly client: Client
  /** See limits/client-address.ts. */
  readonly address: string
  /** Called once the rate limits allow the attempt, before the password is checked. */
  readonly onAllowed: () => Promise<void>
}

interface SignInDependencies {
  readonly database: Database
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly accounts: Accounts
  readonly passwords: PasswordHasher
  readonly rateLimits: RateLimits<'login'>
  readonly wrongPasswords: WrongPasswords
}

/** Checks passwords within the limits. */
export function createSignIn(dependencies: SignInDependencies) {
  const { database, clock, accounts, passwords, rateLimits, wrongPasswords } = dependencies

  return {
    /**
     * The account, or `undefined` if the password is wrong. An unknown address takes the same steps
     * and the same time as a wrong password.
     *
     * @throws TooManyTries; UnavailableError.
     */
    async check(attempt: Attempt): Promise<Account | undefined> {
      const { email, password, client, address, onAllowed } = attempt
      const key = emailKey(email)
      const isKnown = await isKnownClient(database, key, client.id, clock())
      // A known client has its own allowance, which strangers at the same address must not use up.
      await (isKnown
        ? rateLimits.consume('login', 'account', knownClientKey(key, client.id))
        : rateLimits.consume('login', 'address', address))
      await onAllowed()
      const account = await accounts.findByEmail(email)
      const source = isKnown ? { knownClient: client.id } : { address }
      const requester = isKnown ? { account: key } : { address }
      const isRight = await wrongPasswords.check({ account: key, source }, () =>
        // Takes the same time without a hash.
        passwords.verify(account?.password_hash, password, requester),
      )
      if (account === undefined || !isRight) return undefined
      if (passwords.needsRehash(account.password_hash)) {
        await accounts.rehash(account, await passwords.hash(password, requester))
      }
      return account
    },

    /**
     * Checks the password of a signed-in person before something that cannot be undone. A wrong
     * password counts like one at a sign-in with the session's client, so that a stolen token is no
     * way to guess passwords.
     *
     * @throws RefusedError `wrong_password`; TooManyTries; UnavailableError.
     */
    async confirm(
      { clientId, account }: Pick<Session, 'clientId' | 'account'>,
      password: string,
    ): Promise<void> {
      const key = account.email_key
      await rateLimits.consume('login', 'account', knownClientKey(key, clientId))
      const guesser = { account: key, source: { knownClient: clientId } }
      const isRight = await wrongPasswords.check(guesser, () =>
        passwords.verify(account.password_hash, password, { account: key }),
      )
      if (!isRight) throw new RefusedError('wrong_password')
    },
  }
}
