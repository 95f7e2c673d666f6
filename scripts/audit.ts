// `npm run audit`: fails if the registry knows a vulnerability in a production dependency. Some
// registries (mirrors, proxies) have no audit endpoint, and some machines no network. That is
// reported and does not fail: nobody can fix it by changing this project.
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { judgeAudit } from './audit-report.ts'

const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  cwd: `${import.meta.dirname}/..`,
  encoding: 'utf8',
  // npm is a script on Windows.
  shell: process.platform === 'win32',
})
const { ok, lines } = judgeAudit(stdout)
process.stdout.write(lines.map((line) => `${line}\n`).join(''))
process.exitCode = ok ? 0 : 1
