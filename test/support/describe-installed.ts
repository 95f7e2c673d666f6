import { describe } from '@jest/globals'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Programs that tests need and npm does not install. */
interface Requirement {
  readonly isInstalled: boolean
  /** The Debian packages that have it. */
  readonly debian: string
  /** If this variable is 1, tests fail instead of being skipped when it is missing. */
  readonly variable: string
}

/** Tests that are skipped, with the reason, if something is not installed. */
export function describeInstalled(
  { isInstalled, debian, variable }: Requirement,
  name: string,
  tests: () => void,
): void {
  if (isInstalled || process.env[variable] === '1') describe(name, tests)
  else describe.skip(`${name} (skipped: not installed; Debian: apt-get install ${debian})`, tests)
}

/** The path of a program, or `undefined` if it is not installed. */
export function findProgram(name: string): string | undefined {
  // Debian keeps servers out of a user's PATH.
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin']
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}
