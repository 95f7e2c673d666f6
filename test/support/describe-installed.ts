import { describe } from '@jest/globals'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** What tests need that npm does not install. */
interface Requirement {
  readonly isInstalled: boolean
  /** The packages of Debian that have it. */
  readonly debian: string
  /** The variable that, set to 1, makes tests fail, not be skipped, where it is missing. */
  readonly variable: string
}

/** Tests that are skipped, with a line that says why, where something is not installed. */
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
  // Debian keeps servers out of the path of users.
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin']
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}
