// The client as one file for browsers, and the playground page that uses it.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build, context } from 'esbuild'

/** The page takes the library from the very file that everybody else takes it from. */
const clientIsExternal = {
  name: 'client is external',
  setup({ onResolve }) {
    onResolve({ filter: /^(\.\.\/)+index\.ts$/ }, () => ({ path: './client.js', external: true }))
  },
}

/** The library is minified; the page stays readable, for whoever looks into its source. */
function builds(folder, minify) {
  const common = {
    bundle: true,
    format: 'esm',
    // What browsers of the last three years know.
    target: 'es2022',
    outdir: folder,
    entryNames: '[name]',
    sourcemap: 'external',
    logLevel: 'warning',
  }
  const page = ['playground.ts', 'index.html', 'playground.css', 'icon.svg']
  return [
    { ...common, entryPoints: [{ in: 'client/index.ts', out: 'client' }], minify },
    {
      ...common,
      entryPoints: page.map((name) => `server/features/playground/page/${name}`),
      loader: { '.html': 'copy', '.css': 'copy', '.svg': 'copy' },
      plugins: [clientIsExternal],
    },
  ]
}

/**
 * Writes client.js and the playground into a folder.
 *
 * @returns the size of client.js, gzipped, in bytes.
 */
export async function bundle(folder, { minify = true } = {}) {
  await Promise.all(builds(folder, minify).map((options) => build(options)))
  return { gzipped: gzipSync(readFileSync(`${folder}/client.js`), { level: 9 }).length }
}

/** Writes them, and again whenever a source changes, until the process ends. */
export async function watch(folder) {
  for (const options of builds(folder, true)) {
    const watched = await context(options)
    await watched.rebuild()
    await watched.watch()
  }
}
