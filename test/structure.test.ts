/** The rules of CONTRIBUTING.md, "How the code is laid out", for every file. */
import { expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const IMPORT = /^(?:import|export)\b([^'"]*?)\bfrom '(\.[^']+)'|^import '(\.[^']+)'/gm

interface Source {
  readonly path: string
  readonly text: string
  readonly imports: readonly { readonly path: string; readonly isType: boolean }[]
}

const sources = ['server', 'client', 'protocol', 'pkcs8'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(join(folder, name))),
)
const inFolder = (folder: string) => sources.filter(({ path }) => path.startsWith(`${folder}/`))

function read(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const imports = [...text.matchAll(IMPORT)].map(([, clause = '', from, bare]) => ({
    path: relative(ROOT, join(ROOT, dirname(path), from ?? bare ?? '')),
    isType: clause.trim().startsWith('type '),
  }))
  return { path, text, imports }
}

const featureOf = (path: string) => /^server\/features\/([^/]+)\//.exec(path)?.[1]

/** A program of a feature, which reads the list of features. Nothing imports it. */
const PROGRAM = /^server\/features\/[^/]+\/command\/index\.ts$/

/** A feature counts as one folder, and so does a file of server/ or client/ itself, and a program. */
const folderOf = (path: string): string => {
  if (PROGRAM.test(path)) return path
  const feature = featureOf(path)
  if (feature !== undefined) return `server/features/${feature}`
  return ['server', 'client'].includes(dirname(path)) ? path : dirname(path)
}

/** Their types name what routes and features are handed, and bring no code with them. */
const TYPES_OF_THE_WHOLE = ['server/composition.ts', 'server/feature.ts']

/** A chain of imports that ends where it began, if there is one. */
function findCircle(
  files: readonly Source[],
  placeOf: (path: string) => string,
  exempt: readonly string[] = [],
): string[] | undefined {
  const edges = new Map<string, Set<string>>()
  for (const { path, imports } of files) {
    const from = placeOf(path)
    const to = edges.get(from) ?? new Set()
    for (const { path: imported, isType } of imports) {
      if (isType && exempt.includes(imported)) continue
      if (placeOf(imported) !== from) to.add(placeOf(imported))
    }
    edges.set(from, to)
  }
  const done = new Set<string>()
  const visit = (folder: string, chain: readonly string[]): string[] | undefined => {
    if (chain.includes(folder)) return [...chain.slice(chain.indexOf(folder)), folder]
    if (done.has(folder)) return undefined
    for (const next of edges.get(folder) ?? []) {
      const circle = visit(next, [...chain, folder])
      if (circle !== undefined) return circle
    }
    done.add(folder)
    return undefined
  }
  for (const folder of edges.keys()) {
    const circle = visit(folder, [])
    if (circle !== undefined) return circle
  }
  return undefined
}

test('finds imports, including those of types', () => {
  expect(sources.length).toBeGreaterThan(150)
  expect(read('server/app.ts').imports).toEqual(
    expect.arrayContaining([
      { path: 'server/composition.ts', isType: true },
      { path: 'server/routes.ts', isType: false },
    ]),
  )
})

test('finds a circle of folders', () => {
  const files = [
    { path: 'server/a/one.ts', text: '', imports: [{ path: 'server/b/two.ts', isType: true }] },
    { path: 'server/b/two.ts', text: '', imports: [{ path: 'server/c/three.ts', isType: false }] },
    { path: 'server/c/three.ts', text: '', imports: [{ path: 'server/a/one.ts', isType: false }] },
  ]
  expect(findCircle(files, dirname)).toEqual(['server/a', 'server/b', 'server/c', 'server/a'])
  expect(findCircle(files.slice(1), dirname)).toBeUndefined()
})

test.each(['server', 'client'])('no folders of %s/ import each other in a circle', (half) => {
  const files = [half, 'protocol', 'pkcs8'].flatMap(inFolder)
  expect(findCircle(files, folderOf, TYPES_OF_THE_WHOLE)).toBeUndefined()
})

test('no files import each other in a circle, not even their types', () => {
  expect(findCircle(sources, (path) => path)).toBeUndefined()
})

test('the core imports no feature, and no feature imports another', () => {
  const wrong = inFolder('server')
    .filter(({ path }) => path !== 'server/features.ts')
    .flatMap(({ path, imports }) =>
      imports
        .filter((imported) => featureOf(imported.path) !== undefined)
        .filter((imported) => featureOf(imported.path) !== featureOf(path))
        .map((imported) => `${path} imports ${imported.path}`),
    )
  expect(wrong).toEqual([])
})

test('client/ and server/ share only protocol/ and pkcs8/, which import neither', () => {
  const shared = /^(protocol|pkcs8)\//
  const wrong = sources
    // The playground's page is a program for the browser, built on the client.
    .filter(({ path }) => !path.startsWith('server/features/playground/page/'))
    .flatMap(({ path, imports }) =>
      imports
        .filter((imported) => !shared.test(imported.path))
        .filter((imported) => imported.path.split('/')[0] !== path.split('/')[0])
        .map((imported) => `${path} imports ${imported.path}`),
    )
  expect(wrong).toEqual([])
})

test('protocol/ depends on nothing', () => {
  for (const { text } of inFolder('protocol')) expect(text).not.toMatch(/from '[^.]/)
})

test('no file has more than 200 lines', () => {
  const long = sources.filter(({ text }) => text.split('\n').length > 201)
  expect(long.map(({ path }) => path)).toEqual([])
})

test('no two files of server/ or client/ share a name, except the names that any folder may have', () => {
  const anywhere = ['index.ts', 'routes.ts', 'variables.ts']
  for (const half of ['server', 'client']) {
    const names = inFolder(half)
      .map(({ path }) => basename(path))
      .filter((name) => !anywhere.includes(name))
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  }
})
