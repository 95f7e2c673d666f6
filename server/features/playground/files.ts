import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../../config/config.ts'
import type { Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { HttpError } from '../../http/http-error.ts'

/** Where `npm run build` puts the page. */
const FOLDER = join(PROJECT_ROOT, 'dist', 'browser')

/** File → media type. No other file in the folder is served. */
const FILES = {
  'index.html': 'text/html; charset=utf-8',
  'playground.css': 'text/css; charset=utf-8',
  'playground.js': 'text/javascript; charset=utf-8',
  'client.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const

/**
 * Allows only this origin's scripts and styles, and nothing inline, so that no input can become code.
 * Requests may also go to the notes service of `npm run example`, where step 7 takes a stolen token.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self' http://localhost:4000",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/**
 * Serves the page's files.
 *
 * @param folder The folder with the built files.
 */
export function playgroundFiles(folder = FOLDER) {
  return (name: keyof typeof FILES): Handler => {
    const serve: Handler = async (ctx) => {
      const bytes = await readFile(join(folder, name)).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        throw new HttpError('not_found', 'The playground is not built. Run: npm run build')
      })
      ctx.set('Content-Security-Policy', CONTENT_SECURITY_POLICY)
      // The page may be rebuilt at any time.
      ctx.set('Cache-Control', 'no-cache')
      ctx.type = FILES[name]
      ctx.body = bytes
    }
    const [type = ''] = FILES[name].split(';')
    return documented(serve, {
      summary: `The playground: ${name}.`,
      tag: 'pages',
      200: type,
      404: ['not_found'],
    })
  }
}
