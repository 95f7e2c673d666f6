import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../../config/config.ts'
import { defineFeature } from '../../feature.ts'
import type { Handler } from '../../http/context.ts'
import { documented } from '../../http/documented.ts'
import { describeApi } from './document.ts'

/** Describes every route of this server in an OpenAPI document, made from what the routes say. */
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
      },
    }
  },
})
