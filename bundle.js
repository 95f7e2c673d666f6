// The client as one file for browsers, and the playground page that uses it.
import { cpSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** What browsers must know: those of the last three years do. */
const TARGET = 'es2022'
const PAGE = ['index.html', 'playground.css', 'icon.svg']

/** The page takes the library from the very file that everybody else takes it from. */
const clientIsExternal = {
  name: 'client is external',
  setup({ onResolve }) {
    onResolve({ filter: /^(\.\.\/)+index\.ts$/ }, () => ({ path: './client.js', external: true }))
  },
}

/**
 * Writes client.js (minified) and the playground (readable) into a folder.
 *
 * @returns the size of client.js, gzipped, in bytes.
 */
export async function bundle(folder) {
  const common = { bundle: true, format: 'esm', target: TARGET, sourcemap: 'external' }
  await Promise.all([
    build({
      ...common,
      entryPoints: ['client/index.ts'],
      outfile: `${folder}/client.js`,
      minify: true,
    }),
    build({
      ...common,
      entryPoints: ['client/playground/playground.ts'],
      outfile: `${folder}/playground.js`,
      plugins: [clientIsExternal],
    }),
  ])
  for (const file of PAGE) cpSync(`client/playground/${file}`, `${folder}/${file}`)
  return { gzipped: gzipSync(readFileSync(`${folder}/client.js`), { level: 9 }).length }
}
