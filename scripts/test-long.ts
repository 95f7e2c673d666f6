// `npm run test:long`: what takes hours, one after the other. `.ci/run` does a small part of each.
import { spawnSync } from 'node:child_process'

interface Step {
  readonly name: string
  /** Arguments of npm. */
  readonly command: readonly string[]
  /** How much: see CONTRIBUTING.md. */
  readonly variables: Readonly<Record<string, string>>
}

const jest = (...files: string[]) => ['test', '--', '--coverage=false', ...files]

const STEPS: readonly Step[] = [
  {
    name: '200 kills of the key commands',
    command: jest('test/commands/keys/kills.test.ts'),
    variables: { KILLS: '200' },
  },
  {
    name: '200 long histories of sessions',
    command: jest('test/scenarios/history.test.ts'),
    variables: { SEEDS: '200' },
  },
  {
    name: '30 histories on several servers',
    command: ['run', 'test:faults', '--', '--passWithNoTests', 'several-servers'],
    variables: { SEEDS: '30' },
  },
  {
    name: 'a kill after each statement of a migration',
    command: jest('test/database/processes.test.ts'),
    variables: { MIGRATION_TRIALS: 'all' },
  },
  {
    name: '50 kills under load in each mode on each database, and the other faults',
    command: ['run', 'test:faults'],
    variables: { CYCLES: '50' },
  },
  {
    name: 'attackers, and ten minutes of mixed load',
    command: ['run', 'test:hostile'],
    variables: { SOAK: '600' },
  },
]

const outcomes = STEPS.map(({ name, command, variables }) => {
  process.stdout.write(`\n== ${name}\n`)
  const start = performance.now()
  const env = { ...process.env, ...variables }
  const { status } = spawnSync('npm', [...command], { stdio: 'inherit', env })
  const minutes = ((performance.now() - start) / 60_000).toFixed(1)
  return { isGood: status === 0, line: `${name}: ${minutes} minutes` }
})

process.stdout.write('\n')
for (const { isGood, line } of outcomes) {
  process.stdout.write(`${isGood ? 'passed' : 'FAILED'}  ${line}\n`)
}
if (outcomes.some(({ isGood }) => !isGood)) process.exitCode = 1
