/** How the files of the playground are served. What the page does is tested in browser/. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HttpError } from '../../../server/http/http-error.ts'
import { playgroundFiles } from '../../../server/features/playground/files.ts'
import { playground } from '../../../server/features/playground/index.ts'
import { rawRequest } from '../../support/raw-request.ts'
import { startTestServer } from '../../support/server.ts'

const PATHS = [
  '/',
  '/playground/playground.css',
  '/playground/playground.js',
  '/playground/client.js',
  '/playground/icon.svg',
]

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'playground-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

type Name = Parameters<ReturnType<typeof playgroundFiles>>[0]

/** The answer of a handler. */
async function serve(name: Name) {
  const headers: Record<string, string> = {}
  const ctx = {
    set: (header: string, value: string) => (headers[header] = value),
    type: '',
    body: '',
  }
  const handle = playgroundFiles(folder)(name)
  await handle(ctx as unknown as Parameters<typeof handle>[0])
  return { headers, type: ctx.type, body: Buffer.from(ctx.body).toString() }
}

describe('a file', () => {
  test.each<[Name, string]>([
    ['index.html', 'text/html; charset=utf-8'],
    ['playground.css', 'text/css; charset=utf-8'],
    ['playground.js', 'text/javascript; charset=utf-8'],
    ['client.js', 'text/javascript; charset=utf-8'],
    ['icon.svg', 'image/svg+xml'],
  ])('%s is served with its media type, as it was last built', async (name, type) => {
    await writeFile(join(folder, name), 'first')
    expect(await serve(name)).toMatchObject({ type, body: 'first' })
    await writeFile(join(folder, name), 'second')
    const { headers, body } = await serve(name)
    expect(body).toBe('second')
    expect(headers['Cache-Control']).toBe('no-cache')
  })

  test('has a policy that allows only its own origin and the notes service', async () => {
    await writeFile(join(folder, 'index.html'), '')
    const policy = (await serve('index.html')).headers['Content-Security-Policy']!
    expect(policy.split('; ')).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self' http://localhost:4000",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
      ]),
    )
    expect(policy).not.toMatch(/unsafe|\*|https/)
    expect(policy.match(/http/g)).toHaveLength(1)
  })

  test('that is not built is a 404 that says how to build it', async () => {
    const refusal = serve('client.js')
    await expect(refusal).rejects.toThrow(HttpError)
    await expect(refusal).rejects.toMatchObject({ code: 'not_found' })
    await expect(refusal).rejects.toThrow('The playground is not built. Run: npm run build')
  })

  test('that cannot be read is an error', async () => {
    await mkdir(join(folder, 'client.js'))
    await expect(serve('client.js')).rejects.toMatchObject({ code: 'EISDIR' })
  })
})

test('the files are public, and there are no others', async () => {
  const server = await startTestServer({ features: [playground] })
  try {
    for (const path of PATHS) {
      const { status, body, headers } = await rawRequest(server.url, path)
      // Whether they are built or not, no token is needed.
      if (status !== 200) {
        expect([status, body.error_description]).toEqual([
          404,
          'The playground is not built. Run: npm run build',
        ])
      } else expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      const posted = await rawRequest(server.url, path, { method: 'POST' })
      expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'HEAD, GET'])
    }
    for (const path of ['/playground', '/playground/client.js.map', '/playground/..%2fkeys']) {
      expect((await rawRequest(server.url, path)).status).toBe(404)
    }
  } finally {
    await server.stop()
  }
})

test('production has no playground', async () => {
  const server = await startTestServer({ features: [playground], config: { production: true } })
  try {
    for (const path of PATHS) {
      const { status, text } = await rawRequest(server.url, path)
      expect(status).toBe(404)
      expect(text).not.toContain('playground')
    }
  } finally {
    await server.stop()
  }
})
