import { z } from 'zod'
import { baseUrl, duration, flag, integer, oneOf, origins, rateLimit } from './parsers.ts'
import {
  ENCRYPTION_ALGS,
  ENCRYPTION_CRVS,
  ENCRYPTION_ENCS,
  SIGNING_ALGS,
} from '../../protocol/algorithms.ts'

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
  // A lost answer or a second tab comes back at once; a thief seldom does.
  REFRESH_REUSE_INTERVAL: duration.default(10),
  // Half a year: signed in for good is too long, however often somebody comes back.
  SESSION_MAX_AGE: duration.default(180 * 86_400),
  // Far more than anybody has devices: a limit for programs that sign in and never out.
  MAX_SESSIONS: integer(1, 10_000).default(100),
  // A week: whoever opens an app and signs up later registers again without noticing.
  UNUSED_CLIENT_TTL: duration.default(7 * 86_400),
  // Enforced where a client binds; required leaves out the clients that do not.
  REQUEST_BINDING: oneOf(['optional', 'required']).default('optional'),
  // Each for one network address; a known client and a session have an allowance of their own. Wide
  // enough for an office behind one address: limits/wrong-passwords.ts is what stops guessing.
  RATE_LIMIT_LOGIN: rateLimit.default({ count: 60, duration: 60 }),
  RATE_LIMIT_SIGN_UP: rateLimit.default({ count: 100, duration: 3600 }),
  RATE_LIMIT_CLIENTS: rateLimit.default({ count: 300, duration: 3600 }),
  RATE_LIMIT_REFRESH: rateLimit.default({ count: 300, duration: 60 }),
  // A quarter: often enough that rotating is a habit. Only a warning.
  KEY_MAX_AGE: duration.default(90 * 86_400),
  // How many proxies of ours a request has come through: which entry of X-Forwarded-For to believe.
  TRUST_PROXY: integer(0, 10).default(0),
  // None: no other origin's page may call the server.
  CORS_ORIGINS: origins.default([]),
  // What NIST SP 800-63B-4 allows beside a second factor; it advises 15 where nothing else protects.
  PASSWORD_MIN_LENGTH: integer(8, 64).default(8),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  // Anything but production serves what helps a developer.
  NODE_ENV: z.string().default('development'),
})

/** Each variable's parser, by name: what the documentation is checked against. */
export const VARIABLES: Readonly<Record<string, z.ZodType>> = schema.shape

/** Empty means "not set" for these alone; elsewhere an empty value is somebody's mistake. */
const MAY_BE_EMPTY = new Set(['PRIVATE_KEY_PASSPHRASE', 'ISSUER', 'CORS_ORIGINS'])

/** What stands in .env.example for the operator to replace. */
const PLACEHOLDER = /change-me|(?<![\w-])example\.(com|org|net)\b/i

export const isPlaceholder = (value: string): boolean => PLACEHOLDER.test(value)

/** The variables' values: lifetimes in seconds, paths as they were given. */
export type Variables = z.infer<typeof schema>

/** What the configuration has to know of a feature: see feature.ts. */
export interface ConfiguredFeature {
  readonly variables: Readonly<Record<string, z.ZodType>>
  readonly contradictions: (
    variables: Readonly<Record<string, unknown>>,
    isSet: (name: string) => boolean,
  ) => readonly string[]
}

/** What has been read of some variables. */
interface Parsed<Values> {
  /** Whole only if there is no problem. */
  readonly values: Values
  /** All at once, a sentence each. */
  readonly problems: readonly string[]
}

/** Reads every variable of the core. */
export function parseVariables(raw: NodeJS.ProcessEnv): Parsed<Variables> {
  const parsed = parse(raw, schema.shape, (name) => MAY_BE_EMPTY.has(name))
  const values = parsed.values as Variables
  // What could not be read is `undefined` here, and contradicts nothing.
  return { values, problems: [...parsed.problems, ...contradictions(values)] }
}

/** Reads the variables of a feature. Those without a default may be empty. */
export function parseFeatureVariables(
  raw: NodeJS.ProcessEnv,
  { variables, contradictions }: ConfiguredFeature,
): Parsed<Readonly<Record<string, unknown>>> {
  const isOptional = (name: string) => variables[name]?.safeParse(undefined).data === undefined
  const { values, problems } = parse(raw, variables, isOptional)
  const isSet = (name: string) => (raw[name] ?? '') !== ''
  return { values, problems: [...problems, ...contradictions(values, isSet)] }
}

function parse(
  raw: NodeJS.ProcessEnv,
  parsers: Readonly<Record<string, z.ZodType>>,
  mayBeEmpty: (name: string) => boolean,
): Parsed<Readonly<Record<string, unknown>>> {
  const values: Record<string, unknown> = {}
  const problems: string[] = []
  for (const [name, parser] of Object.entries(parsers)) {
    const value = raw[name]
    if (value === '' && !mayBeEmpty(name)) {
      problems.push(`${name} is empty: give it a value, or remove it to have its default.`)
    }
    if (value !== undefined && isProduction(raw['NODE_ENV']) && isPlaceholder(value)) {
      problems.push(`${name} still holds the placeholder of .env.example: set a value of yours.`)
    }
    const parsed = parser.safeParse(value === '' ? undefined : value)
    if (parsed.success) values[name] = parsed.data
    else problems.push(...parsed.error.issues.map(({ message }) => `${name} ${message}.`))
  }
  return { values, problems }
}

/** However it is spelled: who writes Production means it. */
export const isProduction = (mode = ''): boolean => mode.toLowerCase() === 'production'

/** Values that are each right and make no sense together. */
function contradictions(env: Variables): string[] {
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
  if (env.REFRESH_REUSE_INTERVAL >= env.ACCESS_TOKEN_TTL) {
    problems.push(
      'REFRESH_REUSE_INTERVAL is not shorter than ACCESS_TOKEN_TTL: a stolen refresh token would go unnoticed. Make it a few seconds.',
    )
  }
  return problems
}
