import { createAccounts, type Accounts } from './accounts/accounts.ts'
import { createConfirmPassword, type ConfirmPassword } from './accounts/confirm-password.ts'
import { createCredentials, type Credentials } from './accounts/credentials.ts'
import { createPasswordHasher, type PasswordHasher } from './accounts/password-hash.ts'
import {
  createPasswordResets,
  type PasswordResets,
} from './features/password-reset/password-resets.ts'
import { createSignIn, type SignIn } from './accounts/sign-in.ts'
import { createBackground, type Background } from './features/password-reset/background.ts'
import { createClients, type Clients } from './clients/clients.ts'
import type { Config } from './config/config.ts'
import type { Database } from './database/open.ts'
import type { Keystore } from './keystore/keystore.ts'
import { createRateLimits, type RateLimits } from './limits/rate-limits.ts'
import {
  createWrongPasswords,
  uncountedPasswords,
  type WrongPasswords,
} from './limits/wrong-passwords.ts'
import type { Logger } from './log/logger.ts'
import type { Mailer } from './features/password-reset/mailer/mailer.ts'
import { createRefusedTokens, type RefusedTokens } from './log/refused-tokens.ts'
import { createRequestBinding, type RequestBinding } from './token/request-binding.ts'
import { createSessions, type Sessions } from './sessions/sessions.ts'
import type { TokenContext } from './token/context.ts'
import { createReplayCache, type ReplayCache } from './token/replay-cache.ts'

/** What a server is made of; all of it is handed in, so that two can run in one process. */
export interface Dependencies {
  readonly config: Config
  readonly keystore: Keystore
  readonly database: Database
  readonly logger: Logger
  readonly mailer: Mailer
  /** Where work goes that outlives its request; whoever stops the server waits for it. */
  readonly background?: Background
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: () => number
  /** Whether the server has begun to stop. */
  readonly isStopping?: () => boolean
  /** Which bound requests have been seen; in this process's memory by default. */
  readonly replayCache?: ReplayCache
  /** Bound requests from before this are refused: the replay cache knows nothing of them. Milliseconds. */
  readonly bindingsNotBefore?: number
  /** One with the parameters for production by default. */
  readonly passwords?: PasswordHasher
  /** Counts the access tokens that are refused; whoever stops the server flushes it. */
  readonly refusedTokens?: RefusedTokens
}

/** What the routes work with. */
export interface Services {
  readonly config: Config
  readonly keystore: Keystore
  readonly database: Database
  readonly logger: Logger
  readonly isStopping: () => boolean
  readonly tokens: TokenContext
  readonly binding: RequestBinding
  readonly refusedTokens: RefusedTokens
  readonly rateLimits: RateLimits
  readonly wrongPasswords: WrongPasswords
  readonly passwords: PasswordHasher
  readonly clients: Clients
  readonly accounts: Accounts
  readonly credentials: Credentials
  readonly signIn: SignIn
  readonly confirmPassword: ConfirmPassword
  readonly passwordResets: PasswordResets
  readonly sessions: Sessions
}

export function createServices(dependencies: Dependencies): Services {
  const { config, keystore, database, logger, mailer } = dependencies
  const { clock = Date.now, isStopping = () => false } = dependencies
  const { background = createBackground() } = dependencies
  const { replayCache = createReplayCache(), bindingsNotBefore = 0 } = dependencies
  const { passwords = createPasswordHasher() } = dependencies
  const { refusedTokens = createRefusedTokens(logger) } = dependencies
  const { issuer, algorithms, requestBinding } = config
  const tokens: TokenContext = { issuer, algorithms, keystore, clock }
  const rateLimits = createRateLimits(config.rateLimits)
  const wrongPasswords =
    config.rateLimits.login === 'off' ? uncountedPasswords : createWrongPasswords(clock)
  const accounts = createAccounts(database, clock)
  return {
    config,
    keystore,
    database,
    logger,
    isStopping,
    tokens,
    refusedTokens,
    rateLimits,
    wrongPasswords,
    passwords,
    accounts,
    binding: createRequestBinding({
      issuer,
      requestBinding,
      clock,
      replayCache,
      notBefore: bindingsNotBefore,
    }),
    clients: createClients(database, clock, config),
    credentials: createCredentials(database, clock),
    signIn: createSignIn({ database, clock, accounts, passwords, rateLimits, wrongPasswords }),
    confirmPassword: createConfirmPassword(passwords, rateLimits, wrongPasswords),
    passwordResets: createPasswordResets(database, accounts, tokens, mailer, background),
    sessions: createSessions(database, tokens, config),
  }
}
