import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const PAGE = join(import.meta.dirname, '../docs/another-service.md')

/** The frameworks for which docs/another-service.md shows a whole service, which listens on 4000. */
export type Framework = 'koa' | 'express' | 'fastify' | 'hono'

/**
 * The service that the page shows for a framework, for other URLs. It prints "listening" when it is
 * ready.
 *
 * @throws Error if the page shows none.
 */
export function serviceExample(framework: Framework, issuer: string, url: string): string {
  const blocks = readFileSync(PAGE, 'utf8').matchAll(/^```ts\n(import [^]*?)^```$/gm)
  const found = [...blocks].find(([, text = '']) => text.includes(`from '${framework}'`))?.[1]
  if (found === undefined) throw new Error(`${PAGE} shows no service on ${framework}.`)
  return `${found}console.log('listening')\n`
    .replace('https://auth.example.com', issuer)
    .replace('https://notes.example.com', url)
    .replace('4000', new URL(url).port)
}
