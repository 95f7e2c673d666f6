import { existsSync, readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { z } from 'zod'
import { baseUrl, duration, flag, integer, oneOf, origins } from './environment.ts'
import { StartupError } from './startup-error.ts'
import {
  ENCRYPTION_ALGS,
  ENCRYPTION_CRVS,
  ENCRYPTION_ENCS,
  SIGNING_ALGS,
  type Algorithms,
} from './keystore/algorithms.ts'

/** The folder that holds package.json: relative paths start here, wherever the command was typed. */
export const PROJECT_ROOT = findProjectRoot(import.meta.dirname)

/** Every variable, with its default and why it is that. */
const schema = z.object({
  // Off: a first `npm start` needs no key files. Production wants 1, so that a deploy signs nobody out.
  PRESERVE_SESSIONS_ON_REBOOT: flag.default(false),
  // None: without one, key files are only as safe as the disk they lie on.
  PRIVATE_KEY_PASSPHRASE: z.string().optional(),
  KEYS_DIR: z.string().default('./keys'),
  // The loopback address: reachable from elsewhere only when somebody decides so.
  HOST: z.string().default('127.0.0.1'),
  PORT: integer(1, 65_535).default(3000),
  // http://localhost:PORT. In production: the public https origin, which every token names.
  ISSUER: baseUrl.optional(),
  DATABASE_URL: z
    .string()
    .regex(/^file:./, 'must be a file: URL, such as file:./data/auth.db')
    .default('file:./data/auth.db'),
  // P-256 with ES256: small tokens, and in every JOSE library and browser.
  TOKEN_SIGNING_ALG: oneOf(SIGNING_ALGS).default('ES256'),
  TOKEN_ENCRYPTION_ALG: oneOf(ENCRYPTION_ALGS).default('ECDH-ES+A128KW'),
  TOKEN_ENCRYPTION_ENC: oneOf(ENCRYPTION_ENCS).default('A128GCM'),
  // P-256 with the ECDH-ES algorithms; RSA keys have no curve.
  TOKEN_ENCRYPTION_CRV: oneOf(ENCRYPTION_CRVS).optional(),
  // Short: what is signed cannot be unsigned, only outlived or looked up.
  ACCESS_TOKEN_TTL: duration.default(900),
  // How long somebody can stay away and still be signed in.
  REFRESH_TOKEN_TTL: duration.default(30 * 86_400),
  // None: no other origin's page may call the server.
  CORS_ORIGINS: origins.default([]),
  // What NIST SP 800-63B-4 allows beside a second factor; it advises 15 where nothing else protects.
  PASSWORD_MIN_LENGTH: integer(8, 64).default(8),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  // Anything but production serves what helps a developer.
  NODE_ENV: z.string().default('development'),
})

/** Empty means "not set" for these alone; elsewhere an empty value is somebody's mistake. */
const MAY_BE_EMPTY = new Set(['PRIVATE_KEY_PASSPHRASE', 'ISSUER', 'CORS_ORIGINS'])

/** What stands in .env.example for the operator to replace. */
const PLACEHOLDER = /change-me|(?<![\w-])example\.(com|org|net)\b/i

/** The validated configuration. Lifetimes are in seconds, paths are absolute. */
export interface Config {
  readonly preserveSessions: boolean
  readonly privateKeyPassphrase: string | undefined
  readonly keysDir: string
  readonly host: string
  readonly port: number
  readonly issuer: string
  /** A file's absolute path, or `:memory:`. */
  readonly databaseFile: string
  readonly algorithms: Algorithms
  readonly accessTokenTtl: number
  readonly refreshTokenTtl: number
  readonly corsOrigins: readonly string[]
  readonly passwordMinLength: number
  readonly logLevel: z.infer<typeof schema>['LOG_LEVEL']
  readonly production: boolean
}

/**
 * Reads the configuration from the environment, and from `.env` in the project's folder for what
 * the environment does not set.
 *
 * @throws StartupError listing every problem at once: the variable, what is wrong, what is accepted.
 */
export function loadConfig(
  environment: NodeJS.ProcessEnv = process.env,
  dotenv = join(PROJECT_ROOT, '.env'),
): Config {
  const raw: NodeJS.ProcessEnv = {
    ...readDotenv(dotenv),
    ...environment,
  }
  const { values, problems } = parse(raw)
  if (problems.length > 0) throw new StartupError(problems)
  return toConfig(values)
}

type Values = z.infer<typeof schema>

function parse(raw: NodeJS.ProcessEnv): { values: Values; problems: string[] } {
  const values: Record<string, unknown> = {}
  const problems: string[] = []
  for (const [name, parser] of Object.entries(schema.shape)) {
    const value = raw[name]
    if (value === '' && !MAY_BE_EMPTY.has(name)) {
      problems.push(`${name} is empty: give it a value, or remove it to have its default.`)
    }
    if (value !== undefined && isProduction(raw['NODE_ENV']) && PLACEHOLDER.test(value)) {
      problems.push(`${name} still holds the placeholder of .env.example: set a value of yours.`)
    }
    const parsed = parser.safeParse(value === '' ? undefined : value)
    if (parsed.success) values[name] = parsed.data
    else problems.push(`${name} ${parsed.error.issues[0]?.message ?? 'is not valid'}.`)
  }
  // What could not be read is `undefined` here, and contradicts nothing.
  problems.push(...contradictions(values as Values))
  return { values: values as Values, problems }
}

/** Values that are each right and make no sense together. */
function contradictions(env: Values): string[] {
  const problems: string[] = []
  if (env.TOKEN_ENCRYPTION_ALG === 'RSA-OAEP-256' && env.TOKEN_ENCRYPTION_CRV !== undefined) {
    problems.push(
      'TOKEN_ENCRYPTION_CRV names a curve, and TOKEN_ENCRYPTION_ALG is RSA-OAEP-256, which uses none: remove TOKEN_ENCRYPTION_CRV, or choose one of the ECDH-ES algorithms.',
    )
  }
  if (env.REFRESH_TOKEN_TTL <= env.ACCESS_TOKEN_TTL) {
    problems.push(
      'REFRESH_TOKEN_TTL is not longer than ACCESS_TOKEN_TTL: nobody could ever renew an expired access token. Make it longer.',
    )
  }
  return problems
}

function toConfig(env: Values): Config {
  const crv =
    env.TOKEN_ENCRYPTION_ALG === 'RSA-OAEP-256' ? undefined : (env.TOKEN_ENCRYPTION_CRV ?? 'P-256')
  return Object.freeze({
    preserveSessions: env.PRESERVE_SESSIONS_ON_REBOOT,
    privateKeyPassphrase: env.PRIVATE_KEY_PASSPHRASE,
    keysDir: fromRoot(env.KEYS_DIR),
    host: env.HOST,
    port: env.PORT,
    issuer: env.ISSUER ?? `http://localhost:${env.PORT}`,
    databaseFile: databasePath(env.DATABASE_URL.slice('file:'.length)),
    algorithms: Object.freeze({
      signingAlg: env.TOKEN_SIGNING_ALG,
      encryptionAlg: env.TOKEN_ENCRYPTION_ALG,
      encryptionEnc: env.TOKEN_ENCRYPTION_ENC,
      ...(crv === undefined ? {} : { encryptionCrv: crv }),
    }),
    accessTokenTtl: env.ACCESS_TOKEN_TTL,
    refreshTokenTtl: env.REFRESH_TOKEN_TTL,
    corsOrigins: Object.freeze(env.CORS_ORIGINS),
    passwordMinLength: env.PASSWORD_MIN_LENGTH,
    logLevel: env.LOG_LEVEL,
    production: isProduction(env.NODE_ENV),
  })
}

const databasePath = (path: string): string =>
  path === ':memory:' ? path : fromRoot(path.replace(/^\/\/(?=\/)/, ''))

/** However it is spelled: who writes Production means it. */
const isProduction = (mode = ''): boolean => mode.toLowerCase() === 'production'

const fromRoot = (path: string): string => (isAbsolute(path) ? path : resolve(PROJECT_ROOT, path))

function readDotenv(path: string): NodeJS.ProcessEnv {
  try {
    return parseEnv(readFileSync(path, 'utf8'))
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
