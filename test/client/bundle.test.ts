/** The bundle that a page loads. */
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { beforeAll, expect, test } from '@jest/globals'
import { build, type BuildResult } from 'esbuild'

const root = join(import.meta.dirname, '../..')
let result: BuildResult<{ write: false; metafile: true }>
beforeAll(async () => {
  result = await build({
    absWorkingDir: root,
    entryPoints: ['client/index.ts'],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    minify: true,
    metafile: true,
  })
})

test('the browser bundle is one file of client and protocol code, without Node modules', () => {
  expect(result.warnings).toEqual([])
  expect(result.outputFiles).toHaveLength(1)
  const [output] = Object.values(result.metafile.outputs)
  expect(output!.imports).toEqual([])
  expect(output!.exports).toEqual(
    expect.arrayContaining(['AuthClient', 'AuthError', 'browserStore', 'memoryStore']),
  )
  const inputs = Object.keys(result.metafile.inputs)
  const isExpected = (path: string) => /^(client|protocol)\/.*\.ts$/.test(path)
  expect(inputs.filter((path) => !isExpected(path))).toEqual([])
  expect(inputs.length).toBeGreaterThan(30)
  expect(inputs.filter((path) => /file-store|key-file|scrypt/.test(path))).toEqual([])
  const imports = Object.values(result.metafile.inputs).flatMap(({ imports }) =>
    imports.map(({ path }) => path),
  )
  expect(
    imports.filter((path) => path.startsWith('node:') || builtinModules.includes(path)),
  ).toEqual([])
  expect(result.outputFiles[0]!.text).not.toMatch(/node:|\bzod\b|\brequire\(/i)
})
