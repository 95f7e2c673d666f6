import { dirname, join, normalize } from 'node:path'

/** The target of `[text](target)` and `![text](target)`. */
const LINK = /\]\(([^)\s]+)\)/g
/** A file or folder of the project in a code span. */
const PATH = /`((?:bench|client|example|pkcs8|protocol|scripts|server|test)\/[\w./-]*)`/g
const HEADING = /^#{1,6} +(.+?)\s*$/gm
const CODE = /^```[\s\S]*?^```$/gm

/**
 * Finds broken relative links: to a file that does not exist, or to a heading that a page does not
 * have. Paths in code spans, relative to the project's folder, must exist too.
 *
 * @param pages The text of each Markdown page, by its path.
 * @param exists Whether there is a file or folder at a path.
 * @returns One sentence for each problem.
 */
export function findBrokenLinks(
  pages: ReadonlyMap<string, string>,
  exists: (path: string) => boolean,
): string[] {
  return [...pages].flatMap(([page, text]) => [
    ...[...withoutCode(text).matchAll(LINK)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !leadsSomewhere(page, target))
      .map((target) => `${page}: the link to ${target} is broken.`),
    ...[...withoutCode(text).matchAll(PATH)]
      .map(([, path = '']) => path)
      .filter((path) => !exists(path))
      .map((path) => `${page}: there is no ${path}.`),
  ])

  function leadsSomewhere(page: string, target: string): boolean {
    const [path = '', anchor] = target.split('#')
    const file = path === '' ? page : normalize(join(dirname(page), path))
    if (anchor === undefined) return exists(file)
    return anchorsOf(pages.get(file) ?? '').includes(anchor)
  }
}

/** The anchors that GitHub makes from a page's headings. */
function anchorsOf(text: string): string[] {
  return [...withoutCode(text).matchAll(HEADING)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\- ]/gu, '')
      .replaceAll(' ', '-'),
  )
}

const withoutCode = (text: string): string => text.replaceAll(CODE, '')
