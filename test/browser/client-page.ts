import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineFeature } from '../../server/feature.ts'

const CLIENT = join(import.meta.dirname, '../../dist/browser/client.js')
/** The least policy that the client needs. */
const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:"

/** Not `/`, where another feature may have a page. */
export const PAGE_PATH = '/client'
export const CLIENT_PATH = '/client.js'
export const PAGE_TEXT = 'A page for the client.'

/** An empty page, with the client beside it. */
export const clientPage = defineFeature({
  create: () => ({
    routes: ({ open }) => {
      open('GET', PAGE_PATH, (ctx) => {
        ctx.set(
          'Content-Security-Policy',
          `${POLICY}; require-trusted-types-for 'script'; trusted-types 'none'`,
        )
        ctx.type = 'text/html; charset=utf-8'
        ctx.body = `<!doctype html><link rel="icon" href="data:,"><title>Client</title>${PAGE_TEXT}`
      })
      open('GET', CLIENT_PATH, async (ctx) => {
        ctx.type = 'text/javascript; charset=utf-8'
        ctx.body = await readFile(CLIENT)
      })
    },
  }),
})
