/** An npm command and its arguments, up to a shell comment or the end of the code span or line. */
const COMMAND = /\bnpm (?:run (?:-s |--silent )?([\w:-]+)|test)([^`#\n]*)/g
/** A file or folder of the project. */
const PATH = /(?<=^|[\s=])(?:bench|client|example|scripts|server|test)\/[\w./-]+/g

/**
 * Finds commands that cannot work: an npm script that does not exist, or an argument of one that
 * names a missing file or folder of the project.
 *
 * @param pages The text of each Markdown page, by its path.
 * @param scripts The names of the scripts in package.json.
 * @param exists Whether there is a file or folder at a path.
 * @returns One sentence for each problem.
 */
export function findBrokenCommands(
  pages: ReadonlyMap<string, string>,
  scripts: readonly string[],
  exists: (path: string) => boolean,
): string[] {
  return [...pages].flatMap(([page, text]) =>
    [...text.matchAll(COMMAND)].flatMap(([, script = 'test', rest = '']) => [
      ...(scripts.includes(script) ? [] : [`${page}: there is no npm script ${script}.`]),
      ...(rest.match(PATH) ?? [])
        .filter((path) => !exists(path))
        .map((path) => `${page}: there is no ${path}.`),
    ]),
  )
}
