import { createAccounts } from './accounts/accounts.ts'
import { createPasswordHasher, type PasswordHasher } from './passwords/password-hash.ts'
import { createSignIn } from './accounts/sign-in.ts'
import { createClients } from './clients/clients.ts'
import type { Config } from './config/config.ts'
import type { OpenedDatabase } from './database-kind.ts'
import type { Keystore } from './keystore/keystore.ts'
import { limitsInMemory } from './limits/limit-store.ts'
import { createRateLimits } from './limits/rate-limits.ts'
import { createWrongPasswords } from './limits/wrong-passwords.ts'
import type { Logger } from './log/logger.ts'
import { createRefusedTokens } from './log/refused-tokens.ts'
import { createOpenedKeys } from './database-keys/opened-keys.ts'
import { createSessions } from './sessions/sessions.ts'
import { createTokenCaches, type TokenContext } from './token/token-context.ts'
import type { ReplayCache } from './limits/replay-cache.ts'
import { createRequestBinding } from './token/request-binding.ts'

/** What a server needs. Everything is passed in, so that two servers can run in one process. */
export interface Dependencies extends Pick<
  OpenedDatabase,
  'database' | 'limitStore' | 'findSession' | 'connections'
> {
  readonly config: Config
  readonly keystore: Keystore
  readonly logger: Logger
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: () => number
  /** Whether requests are answered: not while the server starts or stops. */
  readonly isServing?: () => boolean
  /** Remembers bound requests; by default, that of limit-store.ts. */
  readonly replayCache?: ReplayCache
  /**
   * Requests bound before this time are refused, because the replay cache does not know them.
   * Milliseconds since the epoch.
   */
  readonly bindingsNotBefore?: number
  /** By default, one with the parameters for production. */
  readonly passwords?: PasswordHasher
}

/** The parts of the server, wired together. Routes and features work with them. */
export type Core = Readonly<ReturnType<typeof compose>>

export function compose(dependencies: Dependencies) {
  const { config, keystore, database, logger, findSession, connections } = dependencies
  const { clock = Date.now, isServing = () => true } = dependencies
  const { limitStore = limitsInMemory() } = dependencies
  const { replayCache = limitStore.createReplayCache(), bindingsNotBefore = 0 } = dependencies
  const { passwords = createPasswordHasher() } = dependencies
  const { issuer, publicUrl, algorithms, requestBinding } = config
  const caches = createTokenCaches()
  keystore.onReplaced(() => {
    // They hold what was made with keys that may be gone now.
    for (const cache of Object.values(caches)) cache.clear()
  })
  const tokens: TokenContext = { issuer, algorithms, keystore, clock, caches }
  const rateLimits = createRateLimits(config.rateLimits, limitStore.createLimiter)
  const wrongPasswords = createWrongPasswords(
    clock,
    limitStore.changeFailures,
    config.rateLimits.login,
  )
  const accounts = createAccounts(database, clock)
  return {
    config,
    keystore,
    database,
    connections,
    logger,
    clock,
    isServing,
    tokens,
    caches,
    limitStore,
    bindingsNotBefore,
    rateLimits,
    wrongPasswords,
    passwords,
    accounts,
    binding: createRequestBinding({
      publicUrl,
      requestBinding,
      clock,
      notBefore: bindingsNotBefore,
      replayCache,
    }),
    refusedTokens: createRefusedTokens(logger),
    clients: createClients(database, clock, config),
    signIn: createSignIn({ database, clock, accounts, passwords, rateLimits, wrongPasswords }),
    databaseKeys: createOpenedKeys(tokens),
    sessions: createSessions(database, tokens, config, logger, findSession),
  }
}
