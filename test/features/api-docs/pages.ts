/**
 * The routes that the pages in docs/ name. These must be described in full; a route of your own need
 * not be.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const DOCS = join(import.meta.dirname, '../../../docs')
const pages = readdirSync(DOCS, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => readFileSync(join(DOCS, name), 'utf8'))

/** @param route `<METHOD> <path>`, as the API document or the router writes it. */
export function isInDocs(route: string): boolean {
  const text = `\`${route.replaceAll(/\{(\w+)\}/g, ':$1')}`
  return pages.some((page) => page.includes(`${text}\``) || page.includes(`${text}?`))
}
