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
  /** What `<issuer>/.well-known/openid-configuration` says (OpenID Connect Discovery §4). */
  | { readonly discovery: true }

/** An issuer whose ID tokens are taken, and what they are good for. */
export interface TrustedIssuer {
  /** As it stands in `iss`, compared as text. */
  readonly issuer: string
  /** The values of `aud` that are ours. */
  readonly audiences: readonly string[]
  readonly keys: KeyLocation
  readonly algorithms: readonly SigningAlg[]
  /** Whether it may make accounts. */
  readonly signUp: boolean
  /** Whether its word that an address is verified is enough to link an account that has the address. */
  readonly linkVerifiedEmail: boolean
  /** `client_id`: an ID token is for the one client whose id is its `nonce`. */
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
      issuer: url.refine((text) => !/[?#]/.test(text), 'must have no query and no fragment'),
      audiences: z
        .array(z.string(strings).min(1, 'must hold no empty string'), strings)
        .min(1, 'must not be empty'),
      jwks_uri: url.optional(),
      x509_uri: url.optional(),
      discovery: z.literal(true, 'must be true, or be left out').optional(),
      algorithms: z
        .array(z.enum(SIGNING_ALGS, `must be of ${SIGNING_ALGS.join(', ')}`), strings)
        .min(1, 'must not be empty')
        .default(['RS256']),
      sign_up: bool.default(false),
      link_verified_email: bool.default(false),
      nonce: z.enum(['client_id', 'any'], 'must be client_id or any').default('client_id'),
    },
    {
      error: ({ code, keys }) =>
        code === 'unrecognized_keys'
          ? `has members that are not known: ${keys.join(', ')}`
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
 * The value of TRUSTED_ISSUERS: reads the file and checks all of it.
 *
 * @throws ZodError with every fault, each in words that finish the sentence "TRUSTED_ISSUERS …".
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
      code === undefined ? 'is not JSON' : `cannot be read (${code}): make it readable, or unset it`
    return { issuers: [], faults: [`names ${path}, which ${fault}`] }
  }
  if (!Array.isArray(entries) || entries.length === 0) {
    return { issuers: [], faults: [`names ${path}, which must hold a list of issuers`] }
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

/** What only several members, or several entries, can have wrong. */
function findContradictions(entries: readonly unknown[], index: number): string[] {
  const entry = entries[index]
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return []
  const issuerOf = (other: unknown) => (other as { issuer?: unknown } | null)?.issuer
  const isRepeated = entries.findIndex((other) => issuerOf(other) === issuerOf(entry)) < index
  return [
    ...(LOCATIONS.filter((name) => Object.hasOwn(entry, name)).length === 1
      ? []
      : [`entry ${index + 1}: must have exactly one of ${LOCATIONS.join(', ')}`]),
    ...(isRepeated ? [`entry ${index + 1}: issuer is there twice`] : []),
  ]
}
