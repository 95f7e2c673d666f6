import type { Accounts } from './accounts/accounts.ts'
import type { ConfirmPassword } from './accounts/confirm-password.ts'
import type { Credentials } from './accounts/credentials.ts'
import type { PasswordHasher } from './accounts/password-hash.ts'
import type { SignIn } from './accounts/sign-in.ts'
import type { Clients } from './clients/clients.ts'
import type { Config } from './config/config.ts'
import type { Database } from './database/open.ts'
import type { Keystore } from './keystore/keystore.ts'
import type { RateLimits } from './limits/rate-limits.ts'
import type { WrongPasswords } from './limits/wrong-passwords.ts'
import type { Logger } from './log/logger.ts'
import type { RefusedTokens } from './log/refused-tokens.ts'
import type { Sessions } from './sessions/sessions.ts'
import type { TokenContext } from './token/token-context.ts'
import type { RequestBinding } from './token/request-binding.ts'

/** The parts of the server, wired together by composition.ts. Routes and features work with them. */
export interface Core {
  readonly config: Config
  readonly keystore: Keystore
  readonly database: Database
  readonly logger: Logger
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly isStopping: () => boolean
  readonly tokens: TokenContext
  readonly binding: RequestBinding
  readonly refusedTokens: RefusedTokens
  readonly rateLimits: RateLimits<keyof Config['rateLimits']>
  readonly wrongPasswords: WrongPasswords
  readonly passwords: PasswordHasher
  readonly clients: Clients
  readonly accounts: Accounts
  readonly credentials: Credentials
  readonly signIn: SignIn
  readonly confirmPassword: ConfirmPassword
  readonly sessions: Sessions
}
