import type { z } from 'zod'
import { databaseUrl, type ConfiguredKind } from './parsers.ts'
import { contradictions, MAY_BE_EMPTY, VARIABLES, type Variables } from './variables.ts'

/** The values in .env.example that the operator must replace. */
const PLACEHOLDER = /change-me|(?<![\w-])example\.(com|org|net)\b/i

export const isPlaceholder = (value: string): boolean => PLACEHOLDER.test(value)

/** What the configuration needs to know about a feature: see feature.ts. */
export interface ConfiguredFeature {
  readonly variables?: Readonly<Record<string, z.ZodType>>
  contradictions?(
    variables: Readonly<Record<string, unknown>>,
    isSet: (name: string) => boolean,
  ): readonly string[]
  readonly database?: ConfiguredKind | undefined
}

/** The result of reading some variables. */
interface Parsed<Values> {
  /** Complete only if there are no problems. */
  readonly values: Values
  /** All problems, one sentence each. */
  readonly problems: readonly string[]
}

/**
 * Reads every variable of the core.
 *
 * @param kinds The kinds of databases that DATABASE_URL may name; by default, any.
 */
export function parseVariables(
  raw: NodeJS.ProcessEnv,
  kinds?: readonly ConfiguredKind[],
): Parsed<Variables> {
  const { DATABASE_URL: anyUrl } = VARIABLES
  const url = kinds === undefined ? anyUrl : anyUrl.pipe(databaseUrl(kinds))
  const parsers = { ...VARIABLES, DATABASE_URL: url }
  const parsed = parse(raw, parsers, (name) => MAY_BE_EMPTY.has(name))
  const values = parsed.values as Variables
  return { values, problems: [...parsed.problems, ...contradictions(values)] }
}

/** Reads the variables of a feature. A variable without a default may be empty. */
export function parseFeatureVariables(
  raw: NodeJS.ProcessEnv,
  feature: ConfiguredFeature,
): Parsed<Readonly<Record<string, unknown>>> {
  const { variables = {} } = feature
  const isOptional = (name: string) => variables[name]?.safeParse(undefined).data === undefined
  const { values, problems } = parse(raw, variables, isOptional)
  const isSet = (name: string) => (raw[name] ?? '') !== ''
  return { values, problems: [...problems, ...(feature.contradictions?.(values, isSet) ?? [])] }
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
      problems.push(`${name} is empty. Give it a value, or remove it to use its default.`)
    }
    if (value !== undefined && raw['NODE_ENV'] === 'production' && isPlaceholder(value)) {
      problems.push(`${name} still has the placeholder from .env.example. Set your own value.`)
    }
    const parsed = parser.safeParse(value === '' ? undefined : value)
    if (parsed.success) values[name] = parsed.data
    else problems.push(...parsed.error.issues.map(({ message }) => `${name} ${message}.`))
  }
  return { values, problems }
}
