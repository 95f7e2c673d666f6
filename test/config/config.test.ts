import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import fc from 'fast-check'
import { z } from 'zod'
import {
  loadCommandPassphrases,
  loadConfig,
  PROJECT_ROOT,
  type Config,
} from '../../server/config/config.ts'
import { StartupError } from '../../server/errors/startup-error.ts'
import { isPlaceholder } from '../../server/config/parse-variables.ts'
import { defineFeature } from '../../server/feature.ts'
import { anyText } from '../support/text.ts'

const NOWHERE = '/nonexistent/.env'
const ROOT = resolve(import.meta.dirname, '../..')

const load = (env: NodeJS.ProcessEnv = {}, dotenv = NOWHERE) => loadConfig([], env, dotenv)

function problemsOf(env: NodeJS.ProcessEnv, dotenv = NOWHERE): readonly string[] {
  try {
    load(env, dotenv)
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError)
    return (error as StartupError).problems
  }
  return []
}

/** The names of every variable, as the schema lists them. */
const VARIABLES = [
  ...readFileSync(join(ROOT, 'server/config/variables.ts'), 'utf8')
    .split('z.object({')[1]!
    .split('\n})')[0]!
    .matchAll(/^ {2}([A-Z_]+):/gm),
].map(([, name]) => name!)

describe('without any variable', () => {
  test('every value has its default', () => {
    expect(load()).toEqual({
      preserveSessions: false,
      privateKeyPassphrase: undefined,
      keysDir: join(ROOT, 'keys'),
      host: '127.0.0.1',
      port: 3000,
      issuer: 'http://localhost:3000',
      publicUrl: 'http://localhost:3000',
      database: join(ROOT, 'data/auth.db'),
      databaseTimeout: 5,
      algorithms: {
        signingAlg: 'ES256',
        encryptionAlg: 'ECDH-ES+A128KW',
        encryptionEnc: 'A128GCM',
        encryptionCrv: 'P-256',
      },
      accessTokenTtl: 15 * 60,
      refreshTokenTtl: 30 * 24 * 60 * 60,
      refreshReuseInterval: 10,
      sessionMaxAge: 180 * 24 * 60 * 60,
      maxSessions: 100,
      unusedClientTtl: 7 * 24 * 60 * 60,
      requestBinding: 'optional',
      keyBoundTokens: true,
      rateLimits: {
        login: { count: 60, duration: 60 },
        signUp: { count: 100, duration: 3600 },
        clients: { count: 300, duration: 3600 },
        refresh: { count: 300, duration: 60 },
      },
      trustedProxies: 0,
      keyMaxAge: 90 * 24 * 60 * 60,
      corsOrigins: [],
      passwordMinLength: 8,
      logLevel: 'info',
      production: false,
      featureVariables: {},
    } satisfies Config)
  })

  test('the configuration is deeply frozen', () => {
    const config = load()
    const { algorithms, corsOrigins, featureVariables, rateLimits } = config
    const all = [config, algorithms, corsOrigins, featureVariables, rateLimits]
    expect(all.every(Object.isFrozen)).toBe(true)
    expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError)
  })

  test('variables are read from process.env', () => {
    process.env['PASSWORD_MIN_LENGTH'] = '33'
    try {
      expect(loadConfig([], undefined, NOWHERE).passwordMinLength).toBe(33)
    } finally {
      delete process.env['PASSWORD_MIN_LENGTH']
    }
  })
})

describe('a valid value is accepted', () => {
  test.each<[string, string, Partial<Config>]>([
    ['PRESERVE_SESSIONS_ON_REBOOT', '1', { preserveSessions: true }],
    ['PRESERVE_SESSIONS_ON_REBOOT', 'Off', { preserveSessions: false }],
    ['PRIVATE_KEY_PASSPHRASE', ' spaced out ', { privateKeyPassphrase: ' spaced out ' }],
    ['PRIVATE_KEY_PASSPHRASE', '', { privateKeyPassphrase: undefined }],
    ['KEYS_DIR', '/etc/auth/keys', { keysDir: resolve('/etc/auth/keys') }],
    ['KEYS_DIR', 'secrets/keys', { keysDir: join(ROOT, 'secrets/keys') }],
    ['KEYS_DIR', '../keys', { keysDir: resolve(ROOT, '../keys') }],
    ['HOST', '::1', { host: '::1' }],
    ['HOST', '0.0.0.0', { host: '0.0.0.0' }],
    ['PORT', '1', { port: 1, issuer: 'http://localhost:1', publicUrl: 'http://localhost:1' }],
    [
      'PORT',
      '65535',
      { port: 65_535, issuer: 'http://localhost:65535', publicUrl: 'http://localhost:65535' },
    ],
    [
      'ISSUER',
      'https://auth.mail.test/a',
      { issuer: 'https://auth.mail.test/a', publicUrl: 'https://auth.mail.test/a' },
    ],
    ['ISSUER', '', { issuer: 'http://localhost:3000', publicUrl: 'http://localhost:3000' }],
    ['DATABASE_URL', 'file:./x/y.db', { database: join(ROOT, 'x/y.db') }],
    ['DATABASE_URL', 'file:y.db', { database: join(ROOT, 'y.db') }],
    ['DATABASE_URL', 'file:../y.db', { database: resolve(ROOT, '../y.db') }],
    ['DATABASE_URL', 'file:/var/y.db', { database: '/var/y.db' }],
    ['DATABASE_URL', 'file:///var/y.db', { database: '/var/y.db' }],
    ['DATABASE_URL', 'file::memory:', { database: ':memory:' }],
    ['DATABASE_TIMEOUT', '2s', { databaseTimeout: 2 }],
    ['ACCESS_TOKEN_TTL', '90s', { accessTokenTtl: 90 }],
    ['REFRESH_TOKEN_TTL', '16m', { refreshTokenTtl: 960 }],
    ['REFRESH_REUSE_INTERVAL', '1s', { refreshReuseInterval: 1 }],
    ['SESSION_MAX_AGE', '1h', { sessionMaxAge: 3600 }],
    ['MAX_SESSIONS', '1', { maxSessions: 1 }],
    ['MAX_SESSIONS', '10000', { maxSessions: 10_000 }],
    ['UNUSED_CLIENT_TTL', '1h', { unusedClientTtl: 3600 }],
    ['REQUEST_BINDING', 'required', { requestBinding: 'required' }],
    ['REQUEST_BINDING', 'optional', { requestBinding: 'optional' }],
    ['KEY_MAX_AGE', '1d', { keyMaxAge: 86_400 }],
    ['TRUST_PROXY', '0', { trustedProxies: 0 }],
    ['TRUST_PROXY', '10', { trustedProxies: 10 }],
    [
      'CORS_ORIGINS',
      'https://a.test, http://b.test:1',
      { corsOrigins: ['https://a.test', 'http://b.test:1'] },
    ],
    ['CORS_ORIGINS', '', { corsOrigins: [] }],
    ['PASSWORD_MIN_LENGTH', '15', { passwordMinLength: 15 }],
    ['PASSWORD_MIN_LENGTH', '64', { passwordMinLength: 64 }],
    ...(['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const).map(
      (logLevel): [string, string, Partial<Config>] => ['LOG_LEVEL', logLevel, { logLevel }],
    ),
    ['NODE_ENV', 'production', { production: true }],
    ['NODE_ENV', 'test', { production: false }],
    ['NODE_ENV', 'development', { production: false }],
  ])('%s=%j', (name, value, expected) => {
    expect(load({ [name]: value })).toEqual({ ...load(), ...expected })
  })

  test.each([
    ['RATE_LIMIT_LOGIN', 'login'],
    ['RATE_LIMIT_SIGN_UP', 'signUp'],
    ['RATE_LIMIT_CLIENTS', 'clients'],
    ['RATE_LIMIT_REFRESH', 'refresh'],
  ])('%s=7/2h and off', (name, member) => {
    for (const [value, limit] of [
      ['7/2h', { count: 7, duration: 7200 }],
      ['off', 'off'],
    ] as const) {
      expect(load({ [name]: value })).toEqual({
        ...load(),
        rateLimits: { ...load().rateLimits, [member]: limit },
      })
    }
  })

  test.each([
    [
      'TOKEN_SIGNING_ALG',
      'signingAlg',
      ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
    ],
    ['TOKEN_ENCRYPTION_ALG', 'encryptionAlg', ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW']],
    [
      'TOKEN_ENCRYPTION_ENC',
      'encryptionEnc',
      ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512'],
    ],
    ['TOKEN_ENCRYPTION_CRV', 'encryptionCrv', ['P-256', 'P-384', 'P-521', 'X25519']],
  ])('%s, with each of its algorithms', (name, member, algorithms) => {
    for (const algorithm of algorithms) {
      expect(load({ [name]: algorithm }).algorithms).toEqual({
        ...load().algorithms,
        [member]: algorithm,
      })
    }
  })

  test('TOKEN_ENCRYPTION_ALG=RSA-OAEP-256, without a curve', () => {
    const { algorithms } = load({ TOKEN_ENCRYPTION_ALG: 'RSA-OAEP-256' })
    expect(algorithms.encryptionAlg).toBe('RSA-OAEP-256')
    expect(algorithms).not.toHaveProperty('encryptionCrv')
  })
})

describe('an invalid value is refused with its name and the accepted values', () => {
  test.each<[string, string[], RegExp]>([
    ['PRESERVE_SESSIONS_ON_REBOOT', ['', '2', 'ja', ' 1', 'truee'], /1 or 0.*yes\/no/],
    ['KEYS_DIR', [''], /value/],
    ['HOST', [''], /value/],
    ['PORT', ['', '0', '65536', '-1', '3e3', '0x50', '80.0', ' 80', 'http'], /from 1 to 65535/],
    ['ISSUER', ['auth.test', 'https://auth.test/', 'https://Auth.test', 'ftp://a.test'], /https/],
    ['DATABASE_URL', ['', 'data.db', './data.db', 'file:', 'mysql://a/b', 'FILE:a.db'], /file:/],
    ['TOKEN_SIGNING_ALG', ['', 'none', 'HS256', 'es256', 'ES256 ', 'RS1'], /ES256, ES384/],
    ['TOKEN_ENCRYPTION_ALG', ['', 'dir', 'A128KW', 'RSA1_5', 'RSA-OAEP'], /ECDH-ES\+A128KW/],
    ['TOKEN_ENCRYPTION_ENC', ['', 'none', 'A128CBC', 'a128gcm'], /A128GCM, A256GCM/],
    ['TOKEN_ENCRYPTION_CRV', ['', 'p-256', 'P-192', 'secp256k1', 'Ed25519'], /P-256, P-384/],
    ['ACCESS_TOKEN_TTL', ['', '0s', '15', '15 m', '-1m', '1.5h', '3651d'], /duration.*15m/],
    ['REFRESH_TOKEN_TTL', ['', '0d', 'forever', '1w'], /duration.*30d/],
    ['REFRESH_REUSE_INTERVAL', ['', '0s', '10', 'off', '-1s'], /duration.*10s/],
    ['SESSION_MAX_AGE', ['', '0d', 'never', '3651d'], /duration.*30d/],
    ['MAX_SESSIONS', ['', '0', '10001', '-1', '1.5', 'off'], /from 1 to 10000/],
    ['UNUSED_CLIENT_TTL', ['', '0d', 'never', '3651d'], /duration.*30d/],
    ['REQUEST_BINDING', ['', 'off', '1', 'Required'], /optional, required/],
    ...['LOGIN', 'SIGN_UP', 'CLIENTS', 'REFRESH'].map((action): [string, string[], RegExp] => [
      `RATE_LIMIT_${action}`,
      ['', '10', '10/', '/1m', '0/1m', '10/0m', '10/2d', '10/1m/1m', 'OFF', '-1/1m'],
      /off, or a count and a duration of at most 1d.*10\/1m/,
    ]),
    ['KEY_MAX_AGE', ['', '0d', '90', 'never', '3651d'], /duration.*30d/],
    ['TRUST_PROXY', ['', '-1', '11', 'true', '1.0', 'loopback'], /from 0 to 10/],
    ['CORS_ORIGINS', ['*', 'a.test', 'https://a.test/', 'https://a.test,'], /origins/],
    ['PASSWORD_MIN_LENGTH', ['', '7', '65', '8.5', 'eight'], /from 8 to 64/],
    ['LOG_LEVEL', ['', 'verbose', 'INFO', 'silent'], /trace, debug, info/],
    [
      'NODE_ENV',
      ['', 'prod', 'Production', 'staging', 'production '],
      /production, development, test/,
    ],
  ])('%s', (name, values, accepted) => {
    for (const value of values) {
      const problems = problemsOf({ [name]: value })
      // An empty value is called empty, and the accepted values may be left out.
      const sentence = value === '' ? new RegExp(`^${name} is empty\\. .*\\.$`) : accepted
      expect({ value, problems }).toEqual({ value, problems: [expect.stringMatching(sentence)] })
      expect(problems[0]).toMatch(new RegExp(`^${name} .*\\.$`))
    }
  })
})

describe('contradictory values', () => {
  test.each(['P-256', 'X25519'])('RSA-OAEP-256 with the curve %s is refused', (crv) => {
    expect(problemsOf({ TOKEN_ENCRYPTION_ALG: 'RSA-OAEP-256', TOKEN_ENCRYPTION_CRV: crv })).toEqual(
      [expect.stringMatching(/TOKEN_ENCRYPTION_CRV.*RSA-OAEP-256.*Remove/)],
    )
  })
  test.each([
    ['15m', '15m'],
    ['1h', '59m'],
    ['60m', '1h'],
  ])('an access token of %s and a refresh token of %s are refused', (access, refresh) => {
    expect(problemsOf({ ACCESS_TOKEN_TTL: access, REFRESH_TOKEN_TTL: refresh })).toEqual([
      expect.stringMatching(/REFRESH_TOKEN_TTL.*ACCESS_TOKEN_TTL/),
    ])
  })
  test.each([
    ['15m', '15m'],
    ['1m', '1h'],
    ['60s', '1m'],
  ])('an access token of %s and a reuse interval of %s are refused', (access, interval) => {
    expect(problemsOf({ ACCESS_TOKEN_TTL: access, REFRESH_REUSE_INTERVAL: interval })).toEqual([
      expect.stringMatching(/^REFRESH_REUSE_INTERVAL .*ACCESS_TOKEN_TTL/),
    ])
  })
  test('a reuse interval one second shorter than an access token is accepted', () => {
    expect(problemsOf({ ACCESS_TOKEN_TTL: '60s', REFRESH_REUSE_INTERVAL: '59s' })).toEqual([])
  })
  test('a refresh token one second longer than an access token is accepted', () => {
    expect(problemsOf({ ACCESS_TOKEN_TTL: '60s', REFRESH_TOKEN_TTL: '61s' })).toEqual([])
  })
})

test('reports all problems at once, without repeating any value', () => {
  const problems = problemsOf({
    PRESERVE_SESSIONS_ON_REBOOT: 'maybe-hunter2',
    PRIVATE_KEY_PASSPHRASE: 'change-me-hunter2',
    HOST: '',
    PORT: 'hunter2',
    ISSUER: 'hunter2',
    CORS_ORIGINS: 'hunter2',
    RATE_LIMIT_REFRESH: 'hunter2',
    REFRESH_REUSE_INTERVAL: '3h',
    TOKEN_ENCRYPTION_ALG: 'RSA-OAEP-256',
    TOKEN_ENCRYPTION_CRV: 'P-256',
    ACCESS_TOKEN_TTL: '2h',
    REFRESH_TOKEN_TTL: '1h',
    NODE_ENV: 'production',
  })
  for (const name of [
    'PRESERVE_SESSIONS_ON_REBOOT',
    'PRIVATE_KEY_PASSPHRASE',
    'HOST',
    'PORT',
    'ISSUER',
    'CORS_ORIGINS',
    'TOKEN_ENCRYPTION_CRV',
    'REFRESH_TOKEN_TTL',
    'RATE_LIMIT_REFRESH',
    'REFRESH_REUSE_INTERVAL',
  ]) {
    expect(problems.filter((problem) => problem.startsWith(`${name} `))).toHaveLength(1)
  }
  expect(problems).toHaveLength(10)
  expect(problems.join()).not.toContain('hunter2')
})

describe('the variables of a feature', () => {
  const feature = defineFeature({
    variables: {
      GREETING: z.string('must be a text').min(3, 'must be three letters or more').default('Hello'),
      GREETER: z.string().optional(),
    },
    contradictions: ({ GREETING }, isSet) =>
      GREETING === 'Bye' && isSet('GREETER') ? ['GREETER contradicts Bye.'] : [],
    create: () => ({}),
  })
  const loadWith = (env: NodeJS.ProcessEnv) => loadConfig([feature], env, NOWHERE)
  const problemsWith = (env: NodeJS.ProcessEnv) => {
    try {
      loadWith(env)
    } catch (error) {
      return (error as StartupError).problems
    }
    return []
  }

  test.each([
    [{}, { GREETING: 'Hello', GREETER: undefined }],
    [{ GREETER: '' }, { GREETING: 'Hello', GREETER: undefined }],
    [
      { GREETING: 'Bye', GREETER: '' },
      { GREETING: 'Bye', GREETER: undefined },
    ],
  ])('are parsed from %j and frozen', (env, values) => {
    const { featureVariables } = loadWith(env)
    expect(featureVariables).toEqual(values)
    expect(Object.isFrozen(featureVariables)).toBe(true)
  })

  test('are refused together with those of the core', () => {
    expect(problemsWith({ GREETING: 'Hi', PORT: 'many' })).toEqual([
      expect.stringMatching(/^PORT /),
      'GREETING must be three letters or more.',
    ])
    expect(problemsWith({ GREETING: '' })[0]).toMatch(/^GREETING is empty. /)
    expect(problemsWith({ GREETING: 'Bye', GREETER: 'Ada' })).toEqual(['GREETER contradicts Bye.'])
  })

  test('of a kind of database come with its URLs', () => {
    const open = () => Promise.reject(new Error('unused'))
    const other = defineFeature({
      database: { schemes: ['other', 'others'], backUpWith: 'other-dump', open },
      create: () => ({}),
    })
    const loadUrl = (DATABASE_URL: string) =>
      loadConfig([feature, other], { DATABASE_URL }, NOWHERE)
    for (const url of ['other://u:p@db.test/auth', 'others:///auth']) {
      expect(loadUrl(url).database).toBe(url)
    }
    expect(loadUrl('file:/var/y.db').database).toBe('/var/y.db')
    for (const url of ['another://db/auth', 'other:/db/auth', 'other://[', 'OTHER://db/auth']) {
      expect(() => loadUrl(url)).toThrow(
        /^DATABASE_URL must be file: and a path, such as file:\S+, or the other:\/\/ URL of a database\.$/,
      )
    }
  })

  test('are not read without the feature', () => {
    expect(load({ GREETING: 'Hi' }).featureVariables).toEqual({})
  })
})

test('a program that opens no database takes any DATABASE_URL', () => {
  const env = { DATABASE_URL: 'other://db.test/auth' }
  expect(loadConfig(undefined, env, NOWHERE).database).toBe('other://db.test/auth')
  expect(problemsOf(env)).toEqual([
    'DATABASE_URL must be file: and a path, such as file:./data/auth.db.',
  ])
})

describe('placeholders', () => {
  test.each([
    ['PRIVATE_KEY_PASSPHRASE', 'change-me'],
    ['PRIVATE_KEY_PASSPHRASE', 'please-CHANGE-ME-soon'],
    ['ISSUER', 'https://auth.example.com'],
    ['ISSUER', 'https://example.org/auth'],
    ['CORS_ORIGINS', 'https://mail.test,https://app.example.net:444'],
  ])('%s=%s is refused in production, and only there', (name, value) => {
    expect(problemsOf({ [name]: value, NODE_ENV: 'production' })).toEqual([
      expect.stringMatching(new RegExp(`^${name} .*placeholder`)),
    ])
    expect(problemsOf({ [name]: value, NODE_ENV: 'development' })).toEqual([])
    expect(problemsOf({ [name]: value })).toEqual([])
  })
  test.each([
    'https://auth.counterexample.com',
    'https://example.community',
    'https://example.dev',
  ])('%s is accepted: it is not an example domain', (issuer) => {
    expect(problemsOf({ ISSUER: issuer, NODE_ENV: 'production' })).toEqual([])
  })
})

describe('a .env file', () => {
  let folder: string
  let dotenv: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'config-'))
    dotenv = join(folder, '.env')
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('provides variables that the environment does not set', async () => {
    await writeFile(dotenv, '# a comment\nPORT=4000\nHOST="::1"\n\nexport LOG_LEVEL=warn\n')
    expect(load({}, dotenv)).toMatchObject({ port: 4000, host: '::1', logLevel: 'warn' })
    expect(load({ PORT: '5000' }, dotenv)).toMatchObject({ port: 5000, host: '::1' })
  })

  test('may begin with a byte order mark', async () => {
    await writeFile(dotenv, '\uFEFFPORT=4000\nLOG_LEVEL=warn\n')
    expect(load({}, dotenv)).toMatchObject({ port: 4000, logLevel: 'warn' })
  })

  test('is overridden by an empty variable if empty means "not set"', async () => {
    await writeFile(dotenv, 'ISSUER=https://auth.mail.test\n')
    expect(load({ ISSUER: '' }, dotenv).issuer).toBe('http://localhost:3000')
  })

  test('is checked like the environment', async () => {
    await writeFile(dotenv, 'NODE_ENV=production\nPRIVATE_KEY_PASSPHRASE=change-me\n')
    expect(problemsOf({}, dotenv)).toEqual([expect.stringContaining('placeholder')])
    await writeFile(dotenv, 'PORT=many\nHOST=\n')
    expect(problemsOf({}, dotenv)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^PORT /), expect.stringMatching(/^HOST /)]),
    )
    expect(problemsOf({ PORT: '1', HOST: '::1' }, dotenv)).toEqual([])
  })

  test('leaves the environment of the process alone', async () => {
    await writeFile(dotenv, 'PORT=4000\n')
    load({}, dotenv)
    expect(process.env['PORT']).not.toBe('4000')
  })

  test('that cannot be read is refused by name', async () => {
    await mkdir(dotenv)
    expect(problemsOf({}, dotenv)).toEqual([expect.stringContaining('.env')])
  })
})

describe('.env.example', () => {
  const path = join(ROOT, '.env.example')
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''

  test('names every variable of the schema', () => {
    expect(VARIABLES.length).toBeGreaterThan(10)
    const named = [...text.matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name)
    expect(named).toEqual(expect.arrayContaining(VARIABLES))
  })

  test('has the defaults, except for a passphrase to replace', () => {
    expect(load({}, path)).toEqual({ ...load(), privateKeyPassphrase: 'change-me' })
  })

  test('has commented-out lines that are valid as they are', () => {
    const uncommented = parseEnv(text.replaceAll(/^#(?=[A-Z_]+=)/gm, ''))
    expect(problemsOf(uncommented)).toEqual([])
  })

  test('is refused in production, for its placeholder', () => {
    expect(problemsOf({ NODE_ENV: 'production' }, path)).toEqual([
      expect.stringMatching(/^PRIVATE_KEY_PASSPHRASE .*placeholder/),
    ])
  })
})

describe('the passphrases of a command', () => {
  const [fresh, imported] = [' fresh ', ' imported ']

  test.each<[NodeJS.ProcessEnv, ReturnType<typeof loadCommandPassphrases>]>([
    [{}, { fresh: undefined, imported: undefined }],
    [
      { NEW_PRIVATE_KEY_PASSPHRASE: '', IMPORT_PASSPHRASE: '' },
      { fresh: undefined, imported: undefined },
    ],
    [{ NEW_PRIVATE_KEY_PASSPHRASE: fresh }, { fresh, imported: undefined }],
    [{ IMPORT_PASSPHRASE: imported }, { fresh: undefined, imported }],
    [
      { NEW_PRIVATE_KEY_PASSPHRASE: fresh, IMPORT_PASSPHRASE: imported },
      { fresh, imported },
    ],
    [{ PRIVATE_KEY_PASSPHRASE: 'another' }, { fresh: undefined, imported: undefined }],
  ])('are read from %j', (env, passphrases) => {
    expect(loadCommandPassphrases(env)).toEqual(passphrases)
  })

  test('are read from process.env, and are not part of the configuration', () => {
    process.env['IMPORT_PASSPHRASE'] = imported
    try {
      expect(loadCommandPassphrases()).toEqual({ fresh: undefined, imported })
      const env = { NEW_PRIVATE_KEY_PASSPHRASE: fresh, IMPORT_PASSPHRASE: imported }
      expect(load(env)).toEqual(load())
    } finally {
      delete process.env['IMPORT_PASSPHRASE']
    }
  })
})

test.each([
  ['change-me', true],
  ['please Change-Me now', true],
  ['https://auth.example.com', true],
  ['auth@example.org', true],
  ['smtp://EXAMPLE.net:25', true],
  ['', false],
  ['changeme', false],
  ['https://my-example.com', false],
  ['https://myexample.com', false],
  ['https://example.company', false],
  ['https://auth.mail.test', false],
])('"%s" is a placeholder: %s', (value, is) => {
  expect(isPlaceholder(value)).toBe(is)
})

describe('relative paths', () => {
  test('resolve against the folder of package.json', () => {
    expect(PROJECT_ROOT).toBe(ROOT)
    expect(existsSync(join(PROJECT_ROOT, 'package.json'))).toBe(true)
  })

  test('do not depend on the working directory', () => {
    const here = process.cwd()
    const before = load({ KEYS_DIR: 'k', DATABASE_URL: 'file:d.db' })
    process.chdir(tmpdir())
    try {
      expect(load({ KEYS_DIR: 'k', DATABASE_URL: 'file:d.db' })).toEqual(before)
    } finally {
      process.chdir(here)
    }
  })
})

test('any values give a configuration or a StartupError', () => {
  const value = fc.oneof(
    fc.string(),
    anyText,
    fc.webUrl(),
    fc.integer().map(String),
    fc.constantFrom(
      '',
      '1',
      'true',
      '15m',
      'production',
      'ES256',
      'RSA-OAEP-256',
      'file:a',
      'P-256',
    ),
  )
  const environment = fc.record(Object.fromEntries(VARIABLES.map((name) => [name, value])), {
    requiredKeys: [],
  })
  fc.assert(
    fc.property(environment, (env) => {
      for (const problem of problemsOf(env)) {
        expect(VARIABLES).toContain(problem.split(' ')[0])
      }
    }),
    { numRuns: 300 },
  )
})
