import { isNativeError } from 'node:util/types'
import { pino, type DestinationStream, type Logger } from 'pino'
import { createOutput } from './output.ts'

export type { Logger }

/** Compact JWS and JWE, and PEM blocks. These must never appear in a log. */
// The first part of a JWS is enough to match: requiring the rest takes quadratic time for
// "eyJeyJ…".
const SECRETS = /eyJ[\w-]{8,}(?:\.[\w-]*)*|-----BEGIN [^-]+-----[\s\S]*?(?:-----END [^-]+-----|$)/g

/** Names of secret members, at the top level of a log line or one level below. */
const SECRET_MEMBERS = [
  'password',
  'current_password',
  'new_password',
  'passphrase',
  'token',
  'access_token',
  'refresh_token',
  'database_key',
  'authorization',
  'cookie',
  'privateKey',
  'body',
]

/**
 * Creates the server's logger. It writes one JSON object per line, with RFC 3339 times.
 *
 * @param destination Standard output by default.
 * @example
 * const logger = createLogger('info')
 * logger.info({ account_id: account.id }, 'greeting sent')
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => serializeError(error) },
      redact: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`]),
    },
    destination ?? createOutput(),
  )
}

/**
 * Keeps a fixed set of members of an error and of its causes. pino's own serializer copies every
 * member, and some libraries attach their input to errors: jose attaches the claims of the token.
 */
export function serializeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error || isNativeError(error))) return { type: typeof error }
  const { code } = error as { code?: unknown }
  return {
    type: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: withoutSecrets(error.message),
    stack: withoutSecrets(error.stack ?? ''),
    // A chain of causes may be circular.
    ...(error.cause === undefined || depth === 3
      ? {}
      : { cause: serializeError(error.cause, depth + 1) }),
  }
}

const withoutSecrets = (text: string): string => text.replace(SECRETS, '[secret]')
