// Prints the size of the client for browsers, and fails if it has become too large.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { bundle } from './bundle.js'

/** Bytes, gzipped. Yours to replace: what your page can afford. */
const LIMIT = 17_000

process.chdir(join(import.meta.dirname, '..'))
const folder = mkdtempSync(join(tmpdir(), 'client-'))
try {
  const { gzipped } = await bundle(folder)
  console.log(`The client for browsers: ${gzipped} bytes gzipped, of at most ${LIMIT}.`)
  if (gzipped > LIMIT) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true })
}
