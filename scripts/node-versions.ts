import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'

/**
 * Installs packages into a folder of their own, apart from the project's.
 *
 * @param packages Name there → what npm installs, such as `npm:yaml@2.9.1`.
 * @returns The folder that holds them.
 */
export function installApart(folder: string, packages: Readonly<Record<string, string>>): string {
  mkdirSync(folder, { recursive: true })
  const manifest = { private: true, dependencies: packages }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  const { status, stderr } = spawnSync(
    'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'],
    { cwd: folder, encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`npm could not install into ${folder}:\n${stderr}`)
  return join(folder, 'node_modules')
}

/** What npm installs as a version of Node for this machine. Its program is `bin/node`. */
export const nodePackage = (major: number | string): string =>
  `npm:node-${process.platform}-${process.arch}@${major}`
