import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { parseDockerfile, parseIgnore } from '../../../scripts/container/dockerfile.ts'

describe('a Dockerfile', () => {
  test('is parsed by stages, with flags, both forms and continued lines', () => {
    const text = [
      '# a comment',
      'FROM node:24-slim AS build',
      'RUN npm ci',
      'FROM build',
      'COPY --from=build a b ./',
      'HEALTHCHECK --timeout=5s \\',
      '  CMD ["node", "-e", "1 # 2"]',
    ].join('\n')
    expect(parseDockerfile(text)).toEqual([
      {
        from: 'node:24-slim',
        name: 'build',
        instructions: [{ name: 'RUN', flags: {}, args: ['npm ci'], isExec: false }],
      },
      {
        from: 'build',
        name: undefined,
        instructions: [
          { name: 'COPY', flags: { from: 'build' }, args: ['a b ./'], isExec: false },
          {
            name: 'HEALTHCHECK',
            flags: { timeout: '5s' },
            isExec: true,
            args: ['node', '-e', '1 # 2'],
          },
        ],
      },
    ])
  })

  test('must begin with FROM', () => {
    expect(() => parseDockerfile('RUN true')).toThrow('RUN comes before FROM.')
  })
})

describe('a .dockerignore', () => {
  test('ignores a path by the last matching pattern', () => {
    const isIgnored = parseIgnore('*\n!server\n**/.env*\n# a comment\n')
    expect(['server', 'server/app.ts', 'server/a/b.ts'].filter(isIgnored)).toEqual([])
    const others = ['keys', 'servers/a', '.env', 'server/.env', 'server/a/.env.local', 'x.ts']
    expect(others.filter(isIgnored)).toEqual(others)
  })

  test('of the project lets in the sources, and no secrets or build output', () => {
    const isIgnored = parseIgnore(readFileSync('.dockerignore', 'utf8'))
    const needed = ['package.json', 'server/index.ts', 'protocol/tokens.ts', 'scripts/build.js']
    expect(needed.filter(isIgnored)).toEqual([])
    const secret = ['.env', '.env.production', 'keys/sig.key', 'data/auth.db', 'server/sig.key']
    const needless = ['node_modules/koa/index.js', 'dist/server/index.js', 'test/x.ts', '.git/HEAD']
    expect([...secret, ...needless].filter((path) => !isIgnored(path))).toEqual([])
  })
})
