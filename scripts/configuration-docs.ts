import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'

export interface ConfigurationSources {
  /** The parser of each variable. */
  readonly variables: Readonly<Record<string, z.ZodType>>
  /** Parses an environment into a configuration. */
  readonly configure: (environment: Record<string, string>) => unknown
  /** The text of docs/configuration.md and of the features' pages. */
  readonly markdown: string
  /** The text of .env.example. */
  readonly dotenv: string
  /** Whether a value is a placeholder, rather than a default. */
  readonly isPlaceholder: (value: string) => boolean
}

/** A row of a table: name, default, accepted values. */
const ROW = /^\| `([A-Z][A-Z0-9_]*)` *\| (.*?) *\| (.*?) *\|$/gm
/**
 * A line of .env.example. If it is commented out, its value is an example rather than a default.
 */
const LINE = /^(#?)([A-Z][A-Z0-9_]*)=(.*)$/gm

/**
 * Compares the documentation of the variables with the schema: names, defaults, and the words that
 * a variable accepts.
 *
 * @returns One sentence for each difference.
 */
export function findConfigurationProblems(sources: ConfigurationSources): string[] {
  const { variables, markdown, dotenv, isPlaceholder } = sources
  const rows = [...markdown.matchAll(ROW)].map(([, name = '', fallback = '', accepted = '']) => ({
    name,
    fallback,
    accepted,
  }))
  const lines = [...dotenv.matchAll(LINE)].map(([, mark, name = '', value = '']) => ({
    name,
    value,
    isDefault: mark === '' && !isPlaceholder(value),
  }))
  const inMarkdown = [
    ...compareNames(variables, rows),
    ...rows.flatMap(({ name, fallback }) => compareDefault(sources, name, fromCell(fallback))),
    ...rows.flatMap(({ name, accepted }) => compareWords(variables[name], name, accepted)),
  ]
  const inDotenv = [
    ...compareNames(variables, lines),
    ...lines.flatMap(({ name, value, isDefault }) =>
      isDefault ? compareDefault(sources, name, value === '' ? undefined : value) : [],
    ),
  ]
  return [
    ...inMarkdown.map((problem) => `The tables in docs/: ${problem}`),
    ...inDotenv.map((problem) => `.env.example: ${problem}`),
  ]
}

function compareNames(variables: object, documented: readonly { name: string }[]): string[] {
  const names = documented.map(({ name }) => name)
  return [
    ...Object.keys(variables)
      .filter((name) => !names.includes(name))
      .map((name) => `${name} is missing.`),
    ...names
      .filter((name) => !Object.hasOwn(variables, name))
      .map((name) => `there is no variable ${name}.`),
    ...names
      .filter((name, index) => names.indexOf(name) !== index)
      .map((name) => `${name} appears twice.`),
  ]
}

/** `none` means no value. Anything else is between backticks. */
const fromCell = (cell: string): string | undefined =>
  cell === 'none' ? undefined : cell.replaceAll('`', '')

function compareDefault(
  { variables, configure }: ConfigurationSources,
  name: string,
  documented: string | undefined,
): string[] {
  const parser = variables[name]
  if (parser === undefined) return []
  const actual = parser.safeParse(undefined).data
  if (documented === undefined) {
    const isNone = actual === undefined || isDeepStrictEqual(actual, [])
    return isNone ? [] : [`${name} has a default, which is not given.`]
  }
  const parsed = parser.safeParse(documented)
  // Some defaults depend on other variables, so only the configuration has them.
  const isSame =
    actual === undefined
      ? parsed.success && isDeepStrictEqual(configure({ [name]: documented }), configure({}))
      : isDeepStrictEqual(parsed.data, actual)
  return isSame ? [] : [`${documented} is not the default of ${name}.`]
}

function compareWords(parser: z.ZodType | undefined, name: string, accepted: string): string[] {
  const inner =
    parser instanceof z.ZodDefault || parser instanceof z.ZodOptional ? parser.unwrap() : parser
  if (!(inner instanceof z.ZodEnum)) return []
  return inner.options
    .filter((word) => !accepted.includes(`\`${word}\``))
    .map((word) => `${name} also accepts ${word}.`)
}

/**
 * Omits the sections of removed features from .env.example. A feature's section begins with a
 * comment that has only the path of its page.
 *
 * @param exists Whether there is a file at a path.
 */
export function withoutMissingFeatures(dotenv: string, exists: (path: string) => boolean): string {
  return dotenv
    .split(/^(?=# docs\/features\/\S+\.md$)/m)
    .filter((section) => {
      const page = /^# (docs\/features\/\S+\.md)\n/.exec(section)?.[1]
      return page === undefined || exists(page)
    })
    .join('')
}
