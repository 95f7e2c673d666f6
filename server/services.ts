import { createAccounts, type Accounts } from './accounts/accounts.ts'
import { createPasswordHasher, type PasswordHasher } from './accounts/password-hash.ts'
import { createClients, type Clients } from './clients/clients.ts'
import type { Config } from './config.ts'
import type { Database } from './database/open.ts'
import type { Keystore } from './keystore/keystore.ts'
import type { Logger } from './logger.ts'
import { createSessions, type Sessions } from './sessions/sessions.ts'
import type { TokenContext } from './token/context.ts'

/** What a server is made of; all of it is handed in, so that two can run in one process. */
export interface Dependencies {
  readonly config: Config
  readonly keystore: Keystore
  readonly database: Database
  readonly logger: Logger
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: () => number
  /** Whether the server has begun to stop. */
  readonly isStopping?: () => boolean
}

/** What the routes work with. */
export interface Services extends Required<Dependencies> {
  readonly tokens: TokenContext
  readonly passwords: PasswordHasher
  readonly clients: Clients
  readonly accounts: Accounts
  readonly sessions: Sessions
}

export function createServices(dependencies: Dependencies): Services {
  const { config, keystore, database, clock = Date.now, isStopping = () => false } = dependencies
  const { issuer, algorithms } = config
  const tokens: TokenContext = { issuer, algorithms, keystore, clock }
  return {
    ...dependencies,
    clock,
    isStopping,
    tokens,
    passwords: createPasswordHasher(),
    clients: createClients(database, clock),
    accounts: createAccounts(database, clock),
    sessions: createSessions(database, tokens, config),
  }
}
