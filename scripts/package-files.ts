import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import ts from 'typescript'

/** The files and packages of a program. */
export interface Reach {
  /** Every file that belongs to it. */
  readonly files: readonly string[]
  /** The names of the packages that they import, except Node's own modules. */
  readonly packages: readonly string[]
}

/**
 * Follows the imports of a program, compiled or not.
 *
 * @param entries Its first files. With `.d.ts` among them, their types are followed too.
 * @throws Error if an import leads to no file.
 */
export function reach(entries: readonly string[]): Reach {
  const files = new Set<string>()
  const packages = new Set<string>()
  const waiting = [...entries]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue
    files.add(file)
    const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true)
    for (const { fileName: specifier } of importedFiles) {
      if (specifier.startsWith('.')) waiting.push(target(file, specifier))
      // The compiler writes `crypto` for a type that it infers.
      else if (!isBuiltin(specifier)) packages.add(packageName(specifier))
    }
  }
  return { files: [...files].sort(), packages: [...packages].sort() }
}

function target(from: string, specifier: string): string {
  const path = join(dirname(from), specifier)
  // In a declaration, `./x.ts` or `./x.js` means `./x.d.ts`.
  const found = from.endsWith('.d.ts') ? path.replace(/(?<!\.d)\.[tj]s$/, '.d.ts') : path
  if (!existsSync(found)) throw new Error(`${from} imports ${specifier}, and there is no ${found}.`)
  return found
}

/** `@scope/name/part` → `@scope/name`. */
const packageName = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
