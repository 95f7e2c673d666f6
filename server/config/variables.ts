import { z } from 'zod'
import { baseUrl, duration, flag, integer, oneOf, origins, rateLimit } from './parsers.ts'
import {
  ENCRYPTION_ALGS,
  ENCRYPTION_CRVS,
  ENCRYPTION_ENCS,
  SIGNING_ALGS,
} from '../../protocol/algorithms.ts'

/** Every variable, its default, and the reason for the default. */
const schema = z.object({
  // Off, so that a first `npm start` needs no key files. Production needs 1: otherwise, a deploy
  // signs everybody out.
  PRESERVE_SESSIONS_ON_REBOOT: flag.default(false),
  // No default. Without a passphrase, key files are only as safe as the disk they are on.
  PRIVATE_KEY_PASSPHRASE: z.string().optional(),
  KEYS_DIR: z.string().default('./keys'),
  // The loopback address: other machines can connect only if the operator decides so.
  HOST: z.string().default('127.0.0.1'),
  PORT: integer(1, 65_535).default(3000),
  // Default: http://localhost:PORT. In production, the public https origin, which every token
  // names.
  ISSUER: baseUrl.optional(),
  // SQLite: nothing to install.
  DATABASE_URL: z.string().default('file:./data/auth.db'),
  DATABASE_TIMEOUT: duration.default(5),
  // ES256 and P-256: the tokens are small, and every JOSE library and browser supports them.
  TOKEN_SIGNING_ALG: oneOf(SIGNING_ALGS).default('ES256'),
  TOKEN_ENCRYPTION_ALG: oneOf(ENCRYPTION_ALGS).default('ECDH-ES+A128KW'),
  TOKEN_ENCRYPTION_ENC: oneOf(ENCRYPTION_ENCS).default('A128GCM'),
  // Default: P-256 with the ECDH-ES algorithms. RSA keys have no curve.
  TOKEN_ENCRYPTION_CRV: oneOf(ENCRYPTION_CRVS).optional(),
  // Short: a signed token cannot be taken back, so other services accept it until it expires.
  ACCESS_TOKEN_TTL: duration.default(900),
  // How long people can stay away and still be signed in.
  REFRESH_TOKEN_TTL: duration.default(30 * 86_400),
  // A retry after a lost answer, or a second tab, comes within seconds. A thief seldom does.
  REFRESH_REUSE_INTERVAL: duration.default(10),
  // Half a year: even people who come back every day should sign in again at times.
  SESSION_MAX_AGE: duration.default(180 * 86_400),
  // Far more devices than anybody has. It limits programs that sign in and never sign out.
  MAX_SESSIONS: integer(1, 10_000).default(100),
  // A week. An app whose user signs up later than that registers again, unnoticed by the user.
  UNUSED_CLIENT_TTL: duration.default(7 * 86_400),
  // `optional` checks a binding if the token has one. `required` refuses tokens without one.
  REQUEST_BINDING: oneOf(['optional', 'required']).default('optional'),
  // On: clients that ask for it get tokens that are useless without their private key. Turn it off
  // while some services accept the tokens but cannot check the proof.
  KEY_BOUND_TOKENS: flag.default(true),
  // Per network address. Known clients and sessions have an allowance of their own. Wide enough for
  // an office behind one address; limits/wrong-passwords.ts is what stops password guessing.
  RATE_LIMIT_LOGIN: rateLimit.default({ count: 60, duration: 60 }),
  RATE_LIMIT_SIGN_UP: rateLimit.default({ count: 100, duration: 3600 }),
  RATE_LIMIT_CLIENTS: rateLimit.default({ count: 300, duration: 3600 }),
  RATE_LIMIT_REFRESH: rateLimit.default({ count: 300, duration: 60 }),
  // A quarter: often enough for rotation to become routine. It only causes a warning.
  KEY_MAX_AGE: duration.default(90 * 86_400),
  // How many of our own proxies a request passes. It says which entry of X-Forwarded-For to trust.
  TRUST_PROXY: integer(0, 10).default(0),
  // None: pages of other origins may not call the server.
  CORS_ORIGINS: origins.default([]),
  // NIST SP 800-63B-4 allows 8 with a second factor, and requires 15 without one.
  PASSWORD_MIN_LENGTH: integer(8, 64).default(8),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  // All but `production` turn on what helps developers, so a misspelled one is an error.
  NODE_ENV: oneOf(['production', 'development', 'test']).default('development'),
})

/** The parser of each variable, by name. The documentation is checked against this. */
export const VARIABLES = schema.shape

/** For these, an empty value means "not set". For all others, it is an error. */
export const MAY_BE_EMPTY = new Set(['PRIVATE_KEY_PASSPHRASE', 'ISSUER', 'CORS_ORIGINS'])

/** The values of the variables. Lifetimes are in seconds, and paths are unchanged. */
export type Variables = z.infer<typeof schema>

/**
 * Values that are each valid, but contradict each other. A variable that could not be read is
 * `undefined` here, so it contradicts nothing.
 */
export function contradictions(env: Variables): string[] {
  const problems: string[] = []
  if (env.TOKEN_ENCRYPTION_ALG === 'RSA-OAEP-256' && env.TOKEN_ENCRYPTION_CRV !== undefined) {
    problems.push(
      'TOKEN_ENCRYPTION_CRV names a curve, but TOKEN_ENCRYPTION_ALG=RSA-OAEP-256 uses none. Remove TOKEN_ENCRYPTION_CRV, or choose one of the ECDH-ES algorithms.',
    )
  }
  if (env.REFRESH_TOKEN_TTL <= env.ACCESS_TOKEN_TTL) {
    problems.push(
      'REFRESH_TOKEN_TTL must be longer than ACCESS_TOKEN_TTL. Otherwise, an expired access token could never be renewed.',
    )
  }
  if (env.REFRESH_REUSE_INTERVAL >= env.ACCESS_TOKEN_TTL) {
    problems.push(
      'REFRESH_REUSE_INTERVAL must be shorter than ACCESS_TOKEN_TTL, or a stolen refresh token would go unnoticed. Use a few seconds.',
    )
  }
  return problems
}
