import { isNativeError } from 'node:util/types'
import { pino, type DestinationStream, type Logger } from 'pino'
import { createOutput } from './output.ts'

export type { Logger }

/** Compact JWS and JWE, and PEM blocks: what must never be read in a log, wherever it slipped in. */
// A JWS is one from its first part on. To insist on the rest would take quadratic time for "eyJeyJ…".
const SECRETS = /eyJ[\w-]{8,}(?:\.[\w-]*)*|-----BEGIN [^-]+-----[\s\S]*?(?:-----END [^-]+-----|$)/g

/** Members that hold a secret by their name, at the top of a log line or one level below. */
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
 * The server's logger: one JSON object a line (RFC 3339 times), on standard output unless told
 * otherwise.
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
 * Four fixed members of an error and its causes. pino's own serializer copies every member, and
 * libraries hang inputs on their errors: jose's carry the claims of the token.
 */
export function serializeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error || isNativeError(error))) return { type: typeof error }
  const { code } = error as { code?: unknown }
  return {
    type: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: withoutSecrets(error.message),
    stack: withoutSecrets(error.stack ?? ''),
    // A chain of causes may be a circle.
    ...(error.cause === undefined || depth === 3
      ? {}
      : { cause: serializeError(error.cause, depth + 1) }),
  }
}

const withoutSecrets = (text: string): string => text.replace(SECRETS, '[secret]')
