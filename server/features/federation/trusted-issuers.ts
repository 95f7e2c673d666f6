import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { PROJECT_ROOT } from '../../config/config.ts'
import { SIGNING_ALGS, type SigningAlg } from '../../../protocol/algorithms.ts'
import { isSafeUrl } from './safe-url.ts'

/** Where an issuer publishes its keys. */
export type KeyLocation =
  /** A JWK Set (RFC 7517 §5). */
  | { readonly jwks_uri: string }
  /** A map from `kid` to a PEM certificate, as Google publishes for Firebase. */
  | { readonly x509_uri: string }
  /** The `jwks_uri` in `<issuer>/.well-known/openid-configuration` (OpenID Connect Discovery §4). */
  | { readonly discovery: true }

/** An issuer whose ID tokens are accepted, and what they may be used for. */
export interface TrustedIssuer {
  /** The exact value of `iss`. */
  readonly issuer: string
  /** The accepted values of `aud`. */
  readonly audiences: readonly string[]
  readonly keys: KeyLocation
  readonly algorithms: readonly SigningAlg[]
  /** Whether its ID tokens may create accounts. */
  readonly signUp: boolean
  /** Whether an address that it has verified may be linked to an existing account with that address. */
  readonly linkVerifiedEmail: boolean
  /** `client_id`: only the client whose id is the `nonce` may present an ID token. */
  readonly nonce: 'client_id' | 'any'
}

const strings = 'must be a list of strings'
const url = z
  .string('must be a string')
  .refine(isSafeUrl, 'must be an https URL, or an http URL of this machine')
const bool = z.boolean('must be true or false')

const entrySchema = z
  .strictObject(
    {
      issuer: url.refine((text) => !/[?#]/.test(text), 'must not have a query or a fragment'),
      audiences: z
        .array(z.string(strings).min(1, 'must not contain an empty string'), strings)
        .min(1, 'must not be empty'),
      jwks_uri: url.optional(),
      x509_uri: url.optional(),
      discovery: z.literal(true, 'must be true or absent').optional(),
      algorithms: z
        .array(z.enum(SIGNING_ALGS, `may contain only ${SIGNING_ALGS.join(', ')}`), strings)
        .min(1, 'must not be empty')
        .default(['RS256']),
      sign_up: bool.default(false),
      link_verified_email: bool.default(false),
      nonce: z.enum(['client_id', 'any'], 'must be client_id or any').default('client_id'),
    },
    {
      error: ({ code, keys }) =>
        code === 'unrecognized_keys'
          ? `has unknown members: ${keys.join(', ')}`
          : 'must be an object',
    },
  )
  .transform(({ jwks_uri, x509_uri, sign_up, link_verified_email, ...entry }): TrustedIssuer => {
    const { issuer, audiences, algorithms, nonce } = entry
    const others = { signUp: sign_up, linkVerifiedEmail: link_verified_email, nonce }
    return { issuer, audiences, keys: location({ jwks_uri, x509_uri }), algorithms, ...others }
  })

const LOCATIONS = ['jwks_uri', 'x509_uri', 'discovery']

function location(uris: { jwks_uri?: string | undefined; x509_uri?: string | undefined }) {
  if (uris.jwks_uri !== undefined) return { jwks_uri: uris.jwks_uri }
  if (uris.x509_uri !== undefined) return { x509_uri: uris.x509_uri }
  return { discovery: true } as const
}

/**
 * Parses TRUSTED_ISSUERS: reads the file that it names, and checks all of it.
 *
 * @throws ZodError with every fault. Each message continues the sentence "TRUSTED_ISSUERS …".
 */
export const trustedIssuers = z.string().transform((path, ctx): readonly TrustedIssuer[] => {
  const { issuers, faults } = readTrustedIssuers(resolve(PROJECT_ROOT, path))
  for (const message of faults) ctx.addIssue({ code: 'custom', message })
  return issuers
})

function readTrustedIssuers(path: string): { issuers: TrustedIssuer[]; faults: string[] } {
  let entries: unknown
  try {
    entries = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined && !(error instanceof SyntaxError)) throw error
    const fault =
      code === undefined
        ? 'is not JSON'
        : `cannot be read (${code}): make it readable, or unset TRUSTED_ISSUERS`
    return { issuers: [], faults: [`names ${path}, which ${fault}`] }
  }
  if (!Array.isArray(entries) || entries.length === 0) {
    return { issuers: [], faults: [`names ${path}, which must contain a list of issuers`] }
  }
  const parsed = entries.map((entry) => entrySchema.safeParse(entry))
  const faults = parsed.flatMap(({ error }, index) => [
    ...(error?.issues ?? []).map(({ path: [member], message }) =>
      [`entry ${index + 1}:`, ...(member === undefined ? [] : [String(member)]), message].join(' '),
    ),
    ...findContradictions(entries, index),
  ])
  return { issuers: parsed.flatMap(({ data }) => (data === undefined ? [] : [data])), faults }
}

/** Faults that involve several members or several entries. */
function findContradictions(entries: readonly unknown[], index: number): string[] {
  const entry = entries[index]
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return []
  const issuerOf = (other: unknown) => (other as { issuer?: unknown } | null)?.issuer
  const isRepeated = entries.findIndex((other) => issuerOf(other) === issuerOf(entry)) < index
  return [
    ...(LOCATIONS.filter((name) => Object.hasOwn(entry, name)).length === 1
      ? []
      : [`entry ${index + 1}: must have exactly one of ${LOCATIONS.join(', ')}`]),
    ...(isRepeated ? [`entry ${index + 1}: issuer appears twice`] : []),
  ]
}
