import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quantile } from './support.js'

/** The median time in milliseconds that this machine takes to make 4 KiB durable. */
export function fsyncTime(tries = 100) {
  const folder = mkdtempSync(join(tmpdir(), 'jwe-auth-bench-'))
  const file = openSync(join(folder, 'file'), 'w')
  const page = Buffer.alloc(4096, 1)
  const times = Array.from({ length: tries }, () => {
    const start = performance.now()
    writeSync(file, page)
    fsyncSync(file)
    return performance.now() - start
  })
  closeSync(file)
  rmSync(folder, { recursive: true })
  return quantile(times, 0.5)
}
