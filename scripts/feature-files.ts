import { readdirSync } from 'node:fs'

export const FEATURE_LIST = 'server/features.ts'
/** The page that lists the features' pages. */
export const FEATURE_PAGE = 'docs/features/README.md'

/** The names of the features: the folders in server/features/, below the working directory. */
export const featureNames = (): string[] =>
  readdirSync('server/features', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)

/** The page that documents a feature. */
export const pageOf = (name: string): string => `docs/features/${name}.md`

/** Everything that is deleted with a feature, besides its lines in the list. */
export const filesOf = (name: string): string[] => [
  `server/features/${name}`,
  `test/features/${name}`,
  pageOf(name),
]

/**
 * The list of features without the given one.
 *
 * @param list The text of server/features.ts.
 * @throws Error if the feature is not in the list.
 */
export function unlisted(list: string, name: string): string {
  const line = new RegExp(`^import \\{ (\\w+) \\} from '\\./features/${name}/index\\.ts'\\n`, 'm')
  const variable = line.exec(list)?.[1]
  const [head, members] = splitAtArray(list)
  const kept = members.filter((member) => member !== variable)
  if (variable === undefined || kept.length === members.length) {
    throw new Error(
      `${FEATURE_LIST} does not list the feature ${name} and import it from its index.ts.`,
    )
  }
  return `${head.replace(line, '')}[${kept.join(', ')}]\n`
}

/**
 * The page that lists the features without the line of the given one.
 *
 * @param page The text of docs/features/README.md.
 */
export const withoutLineOf = (name: string, page: string): string =>
  page
    .replace(new RegExp(`^- \\[[^\\]]*\\]\\(${name}\\.md\\).*\\n`, 'm'), '')
    // After the last line of the list, one blank line is enough.
    .replaceAll(/\n{3,}/g, '\n\n')

/** The text before the array at the end, and the members of the array. */
function splitAtArray(list: string): [string, string[]] {
  const start = list.lastIndexOf('[')
  const members = list.slice(start + 1, list.lastIndexOf(']')).split(',')
  return [list.slice(0, start), members.map((member) => member.trim()).filter((m) => m !== '')]
}

/**
 * Finds the feature that the README shows.
 *
 * @returns Its path, from the comment in its first line, and its text.
 * @throws Error if there is none.
 */
export function featureExample(readme: string): readonly [path: string, text: string] {
  const example = /^```ts\n(\/\/ (server\/features\/\S+)\n[^]*?)^```$/m.exec(readme)
  if (!example) throw new Error('README.md shows no feature.')
  const [, text = '', path = ''] = example
  return [path, text]
}
