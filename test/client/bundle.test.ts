/** What a page has to load. */
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, expect, test } from '@jest/globals'
import { build, type BuildResult } from 'esbuild'

const root = join(import.meta.dirname, '../..')
let result: BuildResult<{ write: false; metafile: true }>
beforeAll(async () => {
  result = await build({
    ...{ absWorkingDir: root, entryPoints: ['client/index.ts'], bundle: true, write: false },
    ...{ platform: 'browser', format: 'esm', target: 'es2022', minify: true, metafile: true },
  })
})

test('is little more than 20 kB', () => {
  const [file, ...others] = result.outputFiles
  expect(others).toEqual([])
  expect(gzipSync(file!.contents, { level: 9 }).length).toBeLessThan(20_700)
  expect(file!.contents.length).toBeGreaterThan(20_000)
})

test('is made of the client, the protocol and jose, and needs nothing of Node', () => {
  expect(result.warnings).toEqual([])
  const [output] = Object.values(result.metafile.outputs)
  expect(output!.imports).toEqual([])
  expect(output!.exports).toEqual(
    expect.arrayContaining(['AuthClient', 'AuthError', 'browserStore', 'memoryStore']),
  )
  const inputs = Object.keys(result.metafile.inputs)
  const isExpected = (path: string) =>
    /^(client|protocol)\/.*\.ts$/.test(path) || path.includes('node_modules/jose/')
  expect(inputs.filter((path) => !isExpected(path))).toEqual([])
  expect(inputs.filter((path) => /zod|noble|file-store|key-file|playground/.test(path))).toEqual([])
  const imports = Object.values(result.metafile.inputs).flatMap(({ imports }) =>
    imports.map(({ path }) => path),
  )
  expect(
    imports.filter((path) => path.startsWith('node:') || builtinModules.includes(path)),
  ).toEqual([])
  expect(result.outputFiles[0]!.text).not.toMatch(/node:|\bzod\b|\brequire\(/i)
})
