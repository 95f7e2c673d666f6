import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { reach } from '../../scripts/package-files.ts'
import { makePackage, type Root } from '../../scripts/packages.ts'

let dist: string
beforeEach(async () => {
  dist = await mkdtemp(join(tmpdir(), 'packages-'))
})
afterEach(() => rm(dist, { recursive: true }))

async function write(files: Record<string, string>) {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dist, path)), { recursive: true })
    await writeFile(join(dist, path), text)
  }
}
const COMPILED = {
  'a/index.js': `import { b } from "./b.js";\nexport * from '../shared.js';\nconst { from } = Array;\nfrom('./no.js');`,
  'a/index.d.ts': `import type { Key } from 'types-alone';\nexport type { T } from './t.ts';`,
  'a/b.js': `// import x from 'in-a-comment'\nimport { readFile } from "node:fs/promises";\nimport { jwtVerify } from 'jose/jwt/verify';`,
  'a/t.d.ts': 'export type T = 1;',
  'a/more.js': `const { run } = await import('@scope/more/part');\nimport './b.js';`,
  'a/more.d.ts': 'export {};',
  'shared.js': 'export const shared = 1;',
  'unused.js': '',
}

describe('reach()', () => {
  test('finds every imported file, however it is imported, and the packages', async () => {
    await write(COMPILED)
    const { files, packages } = reach([join(dist, 'a/index.js'), join(dist, 'a/index.d.ts')])
    expect(files.map((file) => file.slice(dist.length + 1))).toEqual([
      'a/b.js',
      'a/index.d.ts',
      'a/index.js',
      'a/t.d.ts',
      'shared.js',
    ])
    expect(packages).toEqual(['jose', 'types-alone'])
    expect(reach([join(dist, 'a/more.js')]).packages).toEqual(['@scope/more', 'jose'])
  })

  test('throws if a file is missing', async () => {
    await write({ 'a.js': "import './b.js'" })
    expect(() => reach([join(dist, 'a.js')])).toThrow(/imports \.\/b\.js, and there is no/)
  })
})

const ROOT: Root = {
  version: '1.2.3',
  license: 'MIT',
  engines: { node: '>=20' },
  dependencies: { jose: '^6', koa: '^3', '@scope/more': '^1' },
  devDependencies: { '@types/koa': '^3', 'types-alone': '^2' },
}
const ONE = {
  name: 'one',
  description: 'One.',
  folder: 'one',
  exports: { '.': 'a/index', './more': 'a/more' },
  optional: ['./more'],
  peers: [],
}

describe('a package', () => {
  test("depends on the packages that it uses, in the project's ranges, and optionally on the others", async () => {
    await write(COMPILED)
    const { files, manifest } = makePackage(ONE, ROOT, dist)
    expect(files).toEqual([
      'a/b.js',
      'a/index.d.ts',
      'a/index.js',
      'a/more.d.ts',
      'a/more.js',
      'a/t.d.ts',
      'shared.js',
    ])
    expect(manifest).toMatchObject({
      name: 'one',
      version: '1.2.3',
      license: 'MIT',
      type: 'module',
      engines: { node: '>=20' },
      exports: {
        '.': { types: './a/index.d.ts', default: './a/index.js' },
        './more': { types: './a/more.d.ts', default: './a/more.js' },
      },
      dependencies: { jose: '^6', 'types-alone': '^2' },
      peerDependencies: { '@scope/more': '^1' },
      peerDependenciesMeta: { '@scope/more': { optional: true } },
    })
  })

  test("depends on the types of what it uses, a peer's included", async () => {
    await write({ 'a/index.js': "import 'koa'", 'a/index.d.ts': "export type { x } from 'koa'" })
    const service = { ...ONE, exports: { '.': 'a/index' }, peers: ['koa'] }
    const { manifest } = makePackage(service, ROOT, dist)
    expect(manifest.dependencies).toEqual({ '@types/koa': '^3' })
    expect(manifest.peerDependencies).toEqual({ koa: '^3' })
    expect(manifest).not.toHaveProperty('peerDependenciesMeta')
  })

  test('that imports an unlisted package is refused', async () => {
    await write({ 'a/index.js': "import 'unknown'", 'a/index.d.ts': '' })
    const one = { ...ONE, exports: { '.': 'a/index' } }
    expect(() => makePackage(one, ROOT, dist)).toThrow('one imports unknown, ')
  })
})

test('the client uses no package and no file of the server', () => {
  const { files, packages } = reach(['client/index.ts'])
  expect(packages).toEqual([])
  expect(files.filter((file) => !/^(client|protocol)\//.test(file))).toEqual([])
})
