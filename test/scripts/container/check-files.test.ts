import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { checkFiles } from '../../../scripts/container/check-files.ts'
import type { User } from '../../../scripts/container/namespaces.ts'

let folder: string
let app: string
/** Every file here belongs to the user who runs the tests. */
const owner: User = { uid: process.getuid!(), gid: process.getgid!() }
const other: User = { uid: owner.uid + 1, gid: owner.gid + 1 }

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'check-files-'))
  app = join(folder, 'app')
  for (const path of ['data', 'keys']) mkdirSync(join(app, path), { recursive: true, mode: 0o700 })
  for (const path of ['dist', 'scripts', 'node_modules/koa'])
    mkdirSync(join(app, path), { recursive: true })
  for (const path of ['package.json', 'dist/index.js', 'node_modules/koa/key.pem']) {
    writeFileSync(join(app, path), '')
    chmodSync(join(app, path), 0o644)
  }
  const packages = { 'node_modules/koa': {}, 'node_modules/jest': { dev: true } }
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages }))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const check = (codeOwner = other) =>
  checkFiles(app, join(folder, 'package-lock.json'), { server: codeOwner, folders: owner })

test('an image with only what the server needs passes', () => {
  expect(check()).toBe(3)
})

test.each([
  ['.env', /^The image has \.env, data/],
  ['dist/.env.production', /^dist\/\.env\.production must not be in the image/],
  ['dist/sig.key', /^dist\/sig\.key must not/],
  ['keys/sig.key', /^keys\/ is not empty/],
  ['node_modules/jest/index.js', /^Only development needs node_modules\/jest/],
])('%s is refused', (path, message) => {
  mkdirSync(join(app, path, '..'), { recursive: true })
  writeFileSync(join(app, path), '')
  expect(() => check()).toThrow(message)
})

test("a file that the server's user could change is refused", () => {
  expect(() => check(owner)).toThrow(/^The server's user could change dist\./)
  chmodSync(join(app, 'dist/index.js'), 0o666)
  expect(() => check()).toThrow(/^The server's user could change dist\/index\.js\./)
})
