import { z } from 'zod'

/**
 * SPDX identifiers. Yours to replace. All of these let you sell what you build without its source.
 */
const ALLOWED: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT-0',
])

const lockfileSchema = z.object({
  lockfileVersion: z.literal(3),
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      license: z.string().optional(),
      dev: z.boolean().optional(),
    }),
  ),
})

/**
 * Checks every package in a package-lock.json that a production install can contain, including
 * optional packages for other platforms.
 *
 * @throws ZodError for a lock file of another version.
 */
export function findLicenceProblems(lockfile: unknown): { checked: number; problems: string[] } {
  const { packages } = lockfileSchema.parse(lockfile)
  const shipped = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true)
  const problems = shipped
    .filter(([, { license }]) => !isAllowed(license ?? ''))
    .map(([path, { version, license }]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
      const stated = license === undefined ? 'states no licence' : `is under ${license}`
      return `${name}@${version ?? '?'} ${stated}, which scripts/licence-list.ts does not allow.`
    })
  return { checked: shipped.length, problems }
}

/** An SPDX expression of identifiers, AND and OR, without nested parentheses; anything else is refused. */
function isAllowed(expression: string): boolean {
  return expression
    .replace(/^\((.*)\)$/, '$1')
    .split(' OR ')
    .some((option) => option.split(' AND ').every((identifier) => ALLOWED.has(identifier)))
}
