/** Until the end of a code span, a line, or a comment in a shell. */
const COMMAND = /\bnpm (?:run (?:-s |--silent )?([\w:-]+)|test)([^`#\n]*)/g
/** A file or folder of the project. */
const PATH = /(?<=^|[\s=])(?:bench|client|example|scripts|server|test)\/[\w./-]+/g

/**
 * Finds commands that cannot be repeated: an npm script that does not exist, or a file or folder of
 * the project that is named to one and does not exist.
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
