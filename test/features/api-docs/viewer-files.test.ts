import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { apiDocs } from '../../../server/features/api-docs/index.ts'
import { viewerFiles } from '../../../server/features/api-docs/viewer-files.ts'
import { defineFeature } from '../../../server/feature.ts'
import { rawRequest } from '../../support/raw-request.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

const PATHS = ['/docs', '/docs/api-docs.js', '/docs/swagger-ui-bundle.js', '/docs/swagger-ui.css']

describe('the page', () => {
  let folder: string
  let server: TestServer
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'viewer-'))
    await mkdir(join(folder, 'dist/browser'), { recursive: true })
    await writeFile(join(folder, 'dist/browser/api-docs.html'), '<p>Docs</p>')
    const file = viewerFiles(folder)
    const routes = defineFeature({
      create: () => ({
        routes: ({ open }) => {
          open('GET', '/page', file('api-docs.html'))
          open('GET', '/viewer', file('swagger-ui.css'))
        },
      }),
    })
    server = await startTestServer({ features: [routes] })
  })
  afterAll(async () => {
    await server.stop()
    await rm(folder, { recursive: true })
  })

  test('has a policy that allows nothing inline and nothing from elsewhere', async () => {
    const { status, headers, text } = await rawRequest(server.url, '/page')
    expect([status, text]).toEqual([200, '<p>Docs</p>'])
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(headers.get('cache-control')).toBe('no-cache')
    const policy = headers.get('content-security-policy')!
    expect(policy.split('; ')).toEqual(
      expect.arrayContaining(["default-src 'none'", "script-src 'self'", "style-src 'self'"]),
    )
    expect(policy).not.toMatch(/unsafe|\*|http/)
  })

  test('says what to do if a file is missing', async () => {
    const { status, body } = await rawRequest(server.url, '/viewer')
    expect([status, body.error]).toEqual([404, 'not_found'])
    expect(body.error_description).toBe('The page is not there. Run: npm ci && npm run build')
  })
})

test("the viewer's script and styles come from this server", async () => {
  const server = await startTestServer({ features: [apiDocs] })
  const script = await rawRequest(server.url, '/docs/swagger-ui-bundle.js')
  const styles = await rawRequest(server.url, '/docs/swagger-ui.css')
  await server.stop()
  expect([script.status, script.headers.get('content-type')]).toEqual([
    200,
    'text/javascript; charset=utf-8',
  ])
  expect([styles.status, styles.headers.get('content-type')]).toEqual([
    200,
    'text/css; charset=utf-8',
  ])
})

test('production has the document but no page', async () => {
  const server = await startTestServer({ features: [apiDocs], config: { production: true } })
  const statuses = []
  for (const path of ['/openapi.json', ...PATHS]) {
    statuses.push((await rawRequest(server.url, path)).status)
  }
  await server.stop()
  expect(statuses).toEqual([200, 404, 404, 404, 404])
})
