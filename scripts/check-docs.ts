// `npm run docs:check`: fails if the documentation of the variables differs from the schema, if a
// link, path or command in a Markdown page is broken, or if a feature has no page or is not listed.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { loadConfig } from '../server/config/config.ts'
import { isPlaceholder } from '../server/config/parse-variables.ts'
import { VARIABLES } from '../server/config/variables.ts'
import { features } from '../server/features.ts'
import { findConfigurationProblems, withoutMissingFeatures } from './configuration-docs.ts'
import { FEATURE_PAGE, featureNames, pageOf, withoutLineOf } from './feature-files.ts'
import { findBrokenCommands } from './markdown-commands.ts'
import { findBrokenLinks } from './markdown-links.ts'

process.chdir(`${import.meta.dirname}/..`)
const read = (path: string): string => readFileSync(path, 'utf8')

const paths = ['.', 'docs', 'docs/features', 'keys']
  .flatMap((folder) =>
    readdirSync(folder).map((name) => (folder === '.' ? name : `${folder}/${name}`)),
  )
  .filter((path) => path.endsWith('.md'))
const pages = new Map(paths.map((path) => [path, read(path)]))

const { scripts } = JSON.parse(read('package.json')) as { scripts: object }

const ALL = Object.assign(
  {},
  VARIABLES,
  ...features.map(({ variables }) => variables),
) as typeof VARIABLES

const problems = [
  ...findConfigurationProblems({
    variables: ALL,
    configure: (environment) => loadConfig(features, environment, '/nonexistent/.env'),
    markdown: [...pages]
      .filter(([path]) => path === 'docs/configuration.md' || path.startsWith('docs/features/'))
      .map(([, text]) => text)
      .join('\n'),
    dotenv: withoutMissingFeatures(read('.env.example'), existsSync),
    isPlaceholder,
  }),
  ...findBrokenLinks(pages, existsSync),
  ...findBrokenCommands(pages, Object.keys(scripts), existsSync),
  ...featureNames()
    .filter((name) => !existsSync(pageOf(name)))
    .map((name) => `The feature ${name} has no page: ${pageOf(name)} is missing.`),
  ...featureNames()
    .filter((name) => withoutLineOf(name, read(FEATURE_PAGE)) === read(FEATURE_PAGE))
    .map((name) => `${FEATURE_PAGE} does not list the feature ${name}.`),
]
for (const problem of problems) process.stdout.write(`${problem}\n`)
if (problems.length === 0) {
  process.stdout.write(
    `Documentation: ${Object.keys(ALL).length} variables and ${pages.size} pages agree.\n`,
  )
} else process.exitCode = 1
