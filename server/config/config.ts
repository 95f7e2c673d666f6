import { existsSync, readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import type { Algorithms } from '../../protocol/algorithms.ts'
import { StartupError } from '../errors/startup-error.ts'
import { parseFeatureVariables, parseVariables, type ConfiguredFeature } from './parse-variables.ts'
import type { Variables } from './variables.ts'

/** The folder that holds package.json. Relative paths start here, not at the working directory. */
export const PROJECT_ROOT = findProjectRoot(import.meta.dirname)

/** The validated configuration. Lifetimes are in seconds, paths are absolute. */
export type Config = ReturnType<typeof toConfig>

/**
 * Reads the configuration from the environment. Variables that are not set there are taken from
 * `.env` in the project's folder.
 *
 * @param features Their variables are read too, and DATABASE_URL must be SQLite's or that of one of
 *   them. Programs that use neither leave this out.
 * @throws StartupError listing all problems: the variable, what is wrong and what is accepted.
 */
export function loadConfig(
  features?: readonly ConfiguredFeature[],
  environment: NodeJS.ProcessEnv = process.env,
  dotenv = join(PROJECT_ROOT, '.env'),
): Config {
  const raw: NodeJS.ProcessEnv = {
    ...readDotenv(dotenv),
    ...environment,
  }
  const core = parseVariables(
    raw,
    features?.flatMap(({ database }) => database ?? []),
  )
  const others = (features ?? []).map((feature) => parseFeatureVariables(raw, feature))
  const problems = [core, ...others].flatMap((parsed) => parsed.problems)
  if (problems.length > 0) throw new StartupError(problems)
  const featureVariables = Object.assign({}, ...others.map(({ values }) => values)) as object
  return toConfig(core.values, Object.freeze({ ...featureVariables }))
}

/** Reads the passphrases for one `npm run keys` command. They are not part of the configuration. */
export function loadCommandPassphrases(environment: NodeJS.ProcessEnv = process.env) {
  const { NEW_PRIVATE_KEY_PASSPHRASE: fresh, IMPORT_PASSPHRASE: imported } = environment
  return {
    fresh: fresh === '' ? undefined : fresh,
    imported: imported === '' ? undefined : imported,
  }
}

function toConfig(env: Variables, featureVariables: Readonly<Record<string, unknown>>) {
  const crv =
    env.TOKEN_ENCRYPTION_ALG === 'RSA-OAEP-256' ? undefined : (env.TOKEN_ENCRYPTION_CRV ?? 'P-256')
  const issuer = env.ISSUER ?? `http://localhost:${env.PORT}`
  return Object.freeze({
    preserveSessions: env.PRESERVE_SESSIONS_ON_REBOOT,
    privateKeyPassphrase: env.PRIVATE_KEY_PASSPHRASE,
    keysDir: fromRoot(env.KEYS_DIR),
    host: env.HOST,
    port: env.PORT,
    /** The name of this server in tokens and metadata (RFC 8414 §2). Set by ISSUER. */
    issuer,
    /** Where clients reach this server: for links and bound requests. Also set by ISSUER. */
    publicUrl: issuer,
    /** The absolute path of a SQLite file, `:memory:`, or a URL, which may hold a password. */
    database: databaseLocation(env.DATABASE_URL),
    /** Seconds that a statement may wait or take. */
    databaseTimeout: env.DATABASE_TIMEOUT,
    algorithms: Object.freeze<Algorithms>({
      signingAlg: env.TOKEN_SIGNING_ALG,
      encryptionAlg: env.TOKEN_ENCRYPTION_ALG,
      encryptionEnc: env.TOKEN_ENCRYPTION_ENC,
      ...(crv === undefined ? {} : { encryptionCrv: crv }),
    }),
    accessTokenTtl: env.ACCESS_TOKEN_TTL,
    refreshTokenTtl: env.REFRESH_TOKEN_TTL,
    refreshReuseInterval: env.REFRESH_REUSE_INTERVAL,
    sessionMaxAge: env.SESSION_MAX_AGE,
    /** The most sessions that an account can have. */
    maxSessions: env.MAX_SESSIONS,
    unusedClientTtl: env.UNUSED_CLIENT_TTL,
    requestBinding: env.REQUEST_BINDING,
    /** Whether new clients can have key-bound tokens. Never with RSA encryption keys. */
    keyBoundTokens: env.KEY_BOUND_TOKENS && crv !== undefined,
    rateLimits: Object.freeze({
      login: env.RATE_LIMIT_LOGIN,
      signUp: env.RATE_LIMIT_SIGN_UP,
      clients: env.RATE_LIMIT_CLIENTS,
      refresh: env.RATE_LIMIT_REFRESH,
    }),
    /** How many proxies are trusted. With 0, the client's address is that of the connection. */
    trustedProxies: env.TRUST_PROXY,
    /** Seconds after which a current key is old enough for a warning. */
    keyMaxAge: env.KEY_MAX_AGE,
    corsOrigins: Object.freeze(env.CORS_ORIGINS),
    passwordMinLength: env.PASSWORD_MIN_LENGTH,
    logLevel: env.LOG_LEVEL,
    production: env.NODE_ENV === 'production',
    /** The values of the features' own variables, by name. */
    featureVariables,
  })
}

/** Where the database of a DATABASE_URL is: see `Config.database`. */
export function databaseLocation(url: string): string {
  if (!url.startsWith('file:')) return url
  const path = url.slice('file:'.length)
  return path === ':memory:' ? path : fromRoot(path.replace(/^\/\/(?=\/)/, ''))
}

const fromRoot = (path: string): string => (isAbsolute(path) ? path : resolve(PROJECT_ROOT, path))

function readDotenv(path: string): NodeJS.ProcessEnv {
  try {
    // Some editors begin a file with a byte order mark, which would belong to the first name.
    return parseEnv(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''))
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return {}
    throw new StartupError([
      `${path} cannot be read (${code}). Make it a file that the server's user may read, or remove it.`,
    ])
  }
}

function findProjectRoot(from: string): string {
  return existsSync(join(from, 'package.json')) ? from : findProjectRoot(dirname(from))
}
