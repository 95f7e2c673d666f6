// Bundles the client into one file for browsers, and the features' pages that use it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build, context } from 'esbuild'

/** The features' pages import the client from client.js, as any page would. */
const clientIsExternal = {
  name: 'client is external',
  setup({ onResolve }) {
    onResolve({ filter: /^(\.\.\/)+index\.ts$/ }, () => ({ path: './client.js', external: true }))
  },
}

/**
 * The files of `server/features/<name>/page/`: the program, `<name>.ts`, and files to copy
 * unchanged.
 */
function pages() {
  return readdirSync('server/features').flatMap((name) => {
    const folder = `server/features/${name}/page`
    if (!existsSync(folder)) return []
    const isPart = (file) => file === `${name}.ts` || /\.(html|css|svg)$/.test(file)
    return readdirSync(folder)
      .filter(isPart)
      .map((file) => `${folder}/${file}`)
  })
}

/** The library is minified. The pages stay readable for people who look at their source. */
function builds(folder, minify) {
  const common = {
    bundle: true,
    format: 'esm',
    // Supported by browsers of the last three years.
    target: 'es2022',
    outdir: folder,
    entryNames: '[name]',
    sourcemap: 'external',
    logLevel: 'warning',
  }
  return [
    { ...common, entryPoints: [{ in: 'client/index.ts', out: 'client' }], minify },
    {
      ...common,
      entryPoints: pages(),
      loader: { '.html': 'copy', '.css': 'copy', '.svg': 'copy' },
      plugins: [clientIsExternal],
    },
  ]
}

/**
 * Writes client.js and the pages of features into a folder.
 *
 * @returns the size of client.js, gzipped, in bytes.
 */
export async function bundle(folder, { minify = true } = {}) {
  await Promise.all(builds(folder, minify).map((options) => build(options)))
  return { gzipped: gzipSync(readFileSync(`${folder}/client.js`), { level: 9 }).length }
}

/** Writes the same files, now and whenever a source changes. */
export async function watch(folder) {
  for (const options of builds(folder, true)) {
    const watched = await context(options)
    await watched.rebuild()
    await watched.watch()
  }
}
