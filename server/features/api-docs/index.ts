import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../../config/config.ts'
import { defineFeature } from '../../feature.ts'
import type { Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { describeApi } from './document.ts'
import { viewerFiles } from './viewer-files.ts'

/**
 * Describes every route of this server in an OpenAPI document, made from what the routes say, and
 * shows it on a page outside production.
 */
export const apiDocs = defineFeature({
  async create({ config }) {
    const text = await readFile(join(PROJECT_ROOT, 'package.json'), 'utf8')
    const { version } = JSON.parse(text) as { version: string }
    return {
      routes(table) {
        let document: object | undefined
        const answer: Handler = (ctx) => {
          // Not before the first request, because only then is every route in the table.
          ctx.body = document ??= describeApi(table.routes, config.publicUrl, version)
          ctx.set('Cache-Control', 'no-cache')
        }
        const description = { summary: 'This document.', 200: 'application/json' }
        table.open('GET', '/openapi.json', documented(answer, description))
        if (config.production) return
        const file = viewerFiles()
        table.open('GET', '/docs', file('api-docs.html'))
        table.open('GET', '/docs/api-docs.js', file('api-docs.js'))
        table.open('GET', '/docs/swagger-ui-bundle.js', file('swagger-ui-bundle.js'))
        table.open('GET', '/docs/swagger-ui.css', file('swagger-ui.css'))
      },
    }
  },
})
