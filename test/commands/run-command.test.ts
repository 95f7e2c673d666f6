import { expect, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { bundled, PROJECT_ROOT } from '../support/bundle.ts'

test('a reader that leaves early is no error', async () => {
  const program = bundled('server/commands/keys/index.ts')
  const command = spawn(process.execPath, [program, '--help'], { cwd: PROJECT_ROOT })
  command.stdout.destroy()
  let errors = ''
  command.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [code] = (await once(command, 'close')) as [number]
  expect([code, errors]).toEqual([0, ''])
})
