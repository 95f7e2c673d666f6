// `npm run audit`: fails if the registry knows a vulnerability in a production dependency. Some
// registries (mirrors, proxies) have no audit endpoint, and some machines have no network. That is
// reported but does not fail, because changing this project could not fix it.
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { judgeAudit } from './audit-report.ts'

const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  cwd: `${import.meta.dirname}/..`,
  encoding: 'utf8',
  // On Windows, npm is a script.
  shell: process.platform === 'win32',
})
const { ok, lines } = judgeAudit(stdout)
process.stdout.write(lines.map((line) => `${line}\n`).join(''))
process.exitCode = ok ? 0 : 1
