/**
 * Parsers for the values of environment variables. Each is a zod schema from string to value. Its
 * message says what is accepted, and completes the sentence "NAME …".
 */
import { z } from 'zod'

/** Accepts only `1/0`, `true/false`, `yes/no` and `on/off`: a typo must not mean "no". */
export const flag = z.stringbool({
  truthy: ['1', 'true', 'yes', 'on'],
  falsy: ['0', 'false', 'no', 'off'],
  error: 'must be 1 or 0 (also accepted: true/false, yes/no, on/off)',
})

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** A duration such as `10s`, `15m`, `12h` or `30d`, in seconds: from one second to ten years. */
export const duration = z
  .string()
  .transform((text) => {
    const [, count, unit = 's'] = /^([1-9]\d{0,8})([smhd])$/.exec(text) ?? []
    return Number(count) * SECONDS[unit as keyof typeof SECONDS]
  })
  // Of any other text, the number is NaN.
  .refine(
    (seconds) => seconds <= 3650 * SECONDS.d,
    'must be a duration: a whole number and s, m, h or d, such as 10s, 15m or 30d',
  )

/** A whole number from `min` to `max`, in decimal digits. */
export const integer = (min: number, max: number) =>
  z
    .string()
    .transform((text) => (/^\d{1,9}$/.test(text) ? Number(text) : NaN))
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`)

/** One of the given words, spelled exactly like that. */
export const oneOf = <const T extends readonly string[]>(words: T) =>
  z.enum(words, { error: `must be one of ${words.join(', ')}` })

/** A web origin or base URL: http or https, no credentials, query or fragment, no final slash. */
export const baseUrl = z.string().refine((text) => {
  const url = parseUrl(text)
  return (
    url !== undefined &&
    ['http:', 'https:'].includes(url.protocol) &&
    url.username + url.password === '' &&
    !/[?#]/.test(text) &&
    !text.endsWith('/') &&
    // Issuers are compared as text (RFC 8414 §3.3), so only the normalized spelling is accepted.
    (url.pathname === '/' ? url.origin : url.href) === text
  )
}, 'must be an http or https URL in lower case with no slash, query or fragment at its end, such as https://auth.example.com')

/** What the configuration needs to know about a kind of database: see database-kind.ts. */
export interface ConfiguredKind {
  readonly schemes: readonly string[]
}

/** The URL of a SQLite file, or of a database of another kind. */
export function databaseUrl(kinds: readonly ConfiguredKind[]) {
  const schemes = kinds.flatMap((kind) => kind.schemes)
  const accepted = [
    'file: and a path, such as file:./data/auth.db',
    ...kinds.map(({ schemes: [scheme = ''] }) => `the ${scheme}:// URL of a database`),
  ]
  return z
    .string()
    .refine(
      (text) =>
        /^file:./.test(text) ||
        (schemes.some((scheme) => text.startsWith(`${scheme}://`)) && URL.canParse(text)),
      `must be ${accepted.join(', or ')}`,
    )
}

/** Comma-separated web origins, or nothing. */
export const origins = z
  .string()
  .transform((text) => text.split(',').map((origin) => origin.trim()))
  .refine(
    (list) =>
      list.every((origin) => /^https?:[^*]*$/.test(origin) && parseUrl(origin)?.origin === origin),
    'must be a comma-separated list of origins (scheme, host and port, nothing after), such as https://app.example.com',
  )

/** `<count>/<duration>`, such as `10/1m`, or `off`. */
export const rateLimit = z.union(
  [
    z.literal('off'),
    z
      .string()
      .transform((text) => text.split('/'))
      // The timers that forget old requests cannot run longer than a day.
      .pipe(z.tuple([integer(1, 1_000_000), duration.refine((seconds) => seconds <= SECONDS.d)]))
      .transform(([count, duration]) => ({ count, duration })),
  ],
  'must be off, or a count and a duration of at most 1d, such as 10/1m',
)

/** How often an action is allowed. The duration is in seconds. */
export type RateLimit = Readonly<Exclude<z.infer<typeof rateLimit>, 'off'>>

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}
