import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../../config/config.ts'
import type { Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { HttpError } from '../../http/http-error.ts'

/** Where `npm run build` puts the page. */
const BUILT = join('dist', 'browser')
/** Swagger UI, a development dependency. */
const VIEWER = join('node_modules', 'swagger-ui-dist')

/** File → where it is and its media type. No other file is served. */
const FILES = {
  'api-docs.html': [BUILT, 'text/html'],
  'api-docs.js': [BUILT, 'text/javascript'],
  'swagger-ui-bundle.js': [VIEWER, 'text/javascript'],
  'swagger-ui.css': [VIEWER, 'text/css'],
} as const

/** Allows only this origin's files, and nothing inline. The viewer's styles have images in `data:` URLs. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * Serves the page and its viewer.
 *
 * @param root The folder of the project.
 */
export function viewerFiles(root = PROJECT_ROOT) {
  return (name: keyof typeof FILES): Handler => {
    const [folder, type] = FILES[name]
    const serve: Handler = async (ctx) => {
      const bytes = await readFile(join(root, folder, name)).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        throw new HttpError('not_found', 'The page is not there. Run: npm ci && npm run build')
      })
      ctx.set('Content-Security-Policy', CONTENT_SECURITY_POLICY)
      ctx.set('Cache-Control', 'no-cache')
      ctx.type = `${type}; charset=utf-8`
      ctx.body = bytes
    }
    const summary = `The API documents as a page: ${name}.`
    return documented(serve, { summary, tag: 'pages', 200: type, 404: ['not_found'] })
  }
}
