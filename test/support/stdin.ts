import { afterEach } from '@jest/globals'
import type { Readable } from 'node:stream'

const original = Object.getOwnPropertyDescriptor(process, 'stdin')!
const write = process.stderr.write.bind(process.stderr)
afterEach(() => {
  Object.defineProperty(process, 'stdin', original)
  process.stderr.write = write
})

/** Replaces stdin until the end of the test. Returns what is written to stderr. */
export function replaceStdin(stdin: Readable, isTTY: boolean): string[] {
  const shown: string[] = []
  Object.defineProperty(process, 'stdin', { value: Object.assign(stdin, { isTTY }) })
  process.stderr.write = (text: string) => shown.push(text) > 0
  return shown
}
