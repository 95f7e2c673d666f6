// `npm run licences`: fails if a production dependency has a licence that is not on the list.
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { findLicenceProblems } from './licence-list.ts'

const lockfile: unknown = JSON.parse(
  readFileSync(`${import.meta.dirname}/../package-lock.json`, 'utf8'),
)
const { checked, problems } = findLicenceProblems(lockfile)
for (const problem of problems) process.stdout.write(`${problem}\n`)
if (problems.length === 0) process.stdout.write(`Licences: ${checked} packages, all on the list.\n`)
else process.exitCode = 1
