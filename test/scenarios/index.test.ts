import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openDatabase } from '../../server/database/open.ts'
import { generateKeys } from '../../server/commands/keys/folder-changes.ts'
import { loadKeys } from '../../server/keystore/key-set.ts'
import { TestClient } from '../support/client.ts'
import { testConfig } from '../support/config.ts'
import { databaseUrlAt } from '../support/database.ts'
import { freePort, getRaw, killAll, openConnection, run, type Program } from '../support/process.ts'

let folder: string
let keysDir: string
let databaseFile: string
/** Every variable that matters, so that a developer's own .env does not. */
let env: Record<string, string>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'index-'))
  keysDir = join(folder, 'keys')
  databaseFile = join(folder, 'data', 'auth.db')
  env = {
    PRESERVE_SESSIONS_ON_REBOOT: '0',
    PRIVATE_KEY_PASSPHRASE: '',
    KEYS_DIR: keysDir,
    HOST: '127.0.0.1',
    PORT: String(await freePort()),
    ISSUER: '',
    DATABASE_URL: await databaseUrlAt(databaseFile),
    TOKEN_SIGNING_ALG: 'ES256',
    TOKEN_ENCRYPTION_ALG: 'ECDH-ES+A128KW',
    TOKEN_ENCRYPTION_ENC: 'A128GCM',
    TOKEN_ENCRYPTION_CRV: 'P-256',
    ACCESS_TOKEN_TTL: '15m',
    REFRESH_TOKEN_TTL: '30d',
    CORS_ORIGINS: '',
    PASSWORD_MIN_LENGTH: '8',
    LOG_LEVEL: 'info',
    KEY_MAX_AGE: '90d',
    NODE_ENV: 'test',
  }
})
afterEach(async () => {
  await killAll()
  await rm(folder, { recursive: true, force: true })
})

const start = (changes: Record<string, string> = {}) =>
  run('server/index.ts', { ...env, ...changes })
const keys = (...args: string[]) => run('server/commands/keys/index.ts', env, args)

async function stop(server: Program): Promise<void> {
  server.signal('SIGTERM')
  expect(await server.exit).toBe(0)
}

const makeKeys = (passphrase?: string) =>
  generateKeys({ path: keysDir, passphrase, algorithms: testConfig().algorithms })

/** A sign-in with half its body sent: it is in progress until `finish` sends the rest. */
async function requestInFlight(url: string) {
  const body = JSON.stringify({ email: 'nobody@mail.test', password: 'x', client_id: 'x' })
  const connection = await openConnection(url)
  connection.send(
    `POST /account/login HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n` +
      `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
  )
  // The server asks for the body once it has the headers.
  await connection.until(/100 Continue/)
  connection.send(body.slice(0, 10))
  return {
    connection,
    async finish() {
      connection.send(body.slice(10))
      // The normal answer: an unknown client.
      expect(await connection.ended).toMatch(/^HTTP\/1\.1 4\d\d [\s\S]*"error":"invalid_/m)
    },
  }
}

/** The reasons why a program did not start: all on stderr, and nothing else anywhere. */
async function problemsOf(program: Program): Promise<string[]> {
  expect(await program.exit).toBe(1)
  expect(program.stdout.text).toBe('')
  expect(program.stderr.text).toMatch(/^The server cannot start:\n\n( {2}- .+\n)+\n$/)
  expect(program.stderr.text).not.toContain('    at ')
  return [...program.stderr.text.matchAll(/^ {2}- (.+)$/gm)].map(([, sentence]) => sentence!)
}

describe('a signal', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s stops a ready server with exit code 0',
    async (signal) => {
      const server = start()
      const url = await server.ready()
      expect(url).toBe(`http://127.0.0.1:${env['PORT']}`)
      expect(await getRaw(url, '/readyz')).toMatch(/^HTTP\/1\.1 200 [\s\S]*\{"status":"ready"\}$/)
      server.signal(signal)
      expect(await server.exit).toBe(0)
      expect(server.logs().at(-1).msg).toBe('stopped')
      expect(server.stderr.text).toBe('')
      await expect(openConnection(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    },
  )

  test('lets a request in progress finish, and refuses new ones with 503', async () => {
    const server = start()
    const url = await server.ready()
    const request = await requestInFlight(url)
    server.signal('SIGTERM')
    await server.stdout.until(/"msg":"stopping/)
    expect(await getRaw(url, '/readyz')).toMatch(/^HTTP\/1\.1 503 [\s\S]*"unavailable"\}$/)
    const answer = await getRaw(url, '/.well-known/jwks.json')
    expect(answer).toMatch(/^HTTP\/1\.1 503 [\s\S]*"error":"temporarily_unavailable"/)
    expect(answer).toMatch(/^Retry-After: [1-9]\d*\r$/im)
    await request.finish()
    expect(await server.exit).toBe(0)
    expect(server.logs().at(-1).msg).toBe('stopped')
  })

  test('and another at the same time stop the server once, without losing a request', async () => {
    const server = start()
    const request = await requestInFlight(await server.ready())
    // A stopped process gets both at once. Two of one name could merge into one.
    server.signal('SIGSTOP')
    server.signal('SIGINT')
    server.signal('SIGTERM')
    server.signal('SIGCONT')
    await server.stdout.until(/"msg":"stopping/)
    await delay(100)
    await request.finish()
    expect(await server.exit).toBe(0)
    expect(server.stdout.text.match(/"msg":"stopping/g)).toHaveLength(1)
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('sent again later (%s) exits at once with %d', async (signal, code) => {
    const server = start()
    const request = await requestInFlight(await server.ready())
    server.signal('SIGTERM')
    await server.stdout.until(/"msg":"stopping/)
    await delay(400)
    server.signal(signal)
    expect(await server.exit).toBe(code)
    expect(await request.connection.ended).not.toContain('HTTP/1.1 4')
    expect(server.logs().at(-1).msg).not.toBe('stopped')
  })

  test('leaves the whole database in one file', async () => {
    const server = start({ DATABASE_URL: `file:${databaseFile}` })
    const { id } = await TestClient.registered(await server.ready())
    await stop(server)
    await copyFile(databaseFile, join(folder, 'backup.db'))
    const backup = await openDatabase(join(folder, 'backup.db'))
    const clients = await backup.selectFrom('clients').select('client_id').execute()
    await backup.destroy()
    expect(clients).toEqual([{ client_id: id }])
  })
})

test.each([
  ['thrown', 'throw Object.assign(new Error("boom"),{payload:"hunt"+"er2"})'],
  ['rejected', 'Promise.reject(Object.assign(new Error("boom"),{payload:"hunt"+"er2"}))'],
])('an uncaught error (%s) is logged without its other members', async (_, code) => {
  const fault = encodeURIComponent(`process.on("SIGUSR2",()=>{${code}})`)
  const server = start({ NODE_OPTIONS: `--import data:text/javascript,${fault}` })
  await server.ready()
  server.signal('SIGUSR2')
  expect(await server.exit).toBe(1)
  expect(server.logs().at(-1)).toMatchObject({ level: 'fatal', err: { message: 'boom' } })
  expect(server.stdout.text + server.stderr.text).not.toContain('hunter2')
})

test('servers that start at the same time share a new database', async () => {
  await makeKeys()
  const servers = await Promise.all(
    [1, 2, 3].map(async () =>
      start({ PRESERVE_SESSIONS_ON_REBOOT: '1', PORT: String(await freePort()) }),
    ),
  )
  const urls = await Promise.all(servers.map((server) => server.ready()))
  const answers = await Promise.all(urls.map((url) => getRaw(url, '/readyz')))
  expect(answers.filter((answer) => answer.startsWith('HTTP/1.1 200 '))).toHaveLength(3)
})

describe('SIGHUP', () => {
  test('makes a server reload its keys at once', async () => {
    await makeKeys()
    const server = start({ PRESERVE_SESSIONS_ON_REBOOT: '1' })
    const url = await server.ready()
    expect(await keys('rotate').exit).toBe(0)
    server.signal('SIGHUP')
    await server.stdout.until(/"msg":"keys loaded"/)
    const { algorithms } = testConfig()
    const { sig } = await loadKeys({ path: keysDir, passphrase: undefined, algorithms })
    const jwks = await getRaw(url, '/.well-known/jwks.json')
    expect(/"kid":"([\w-]+)"/.exec(jwks)![1]).toBe(sig.current.kid)
    await stop(server)
  })

  test('does not stop a server whose keys are in memory', async () => {
    const server = start()
    const url = await server.ready()
    server.signal('SIGHUP')
    await server.stdout.until(/"msg":"the keys are in memory: there is nothing to reload"/)
    expect(await getRaw(url, '/readyz')).toMatch(/^HTTP\/1\.1 200 /)
    await stop(server)
  })

  test('does not stop a server that is not ready yet', async () => {
    const early =
      'import net from "node:net";const listen=net.Server.prototype.listen;' +
      'net.Server.prototype.listen=function(...args){' +
      'process.kill(process.pid,"SIGHUP");return listen.apply(this,args)}'
    const fault = encodeURIComponent(early)
    const server = start({ NODE_OPTIONS: `--import data:text/javascript,${fault}` })
    await server.ready()
    server.signal('SIGHUP')
    await server.stdout.until(/"msg":"the keys are in memory: there is nothing to reload"/)
    await stop(server)
  })

  test('does not stop a server whose key folder is damaged', async () => {
    await makeKeys()
    const server = start({ PRESERVE_SESSIONS_ON_REBOOT: '1' })
    const url = await server.ready()
    await writeFile(join(keysDir, 'sig.key'), 'x')
    server.signal('SIGHUP')
    await server.stdout.until(/"msg":"The key folder cannot be used/)
    expect(await getRaw(url, '/readyz')).toMatch(/^HTTP\/1\.1 200 /)
    await stop(server)
  })
})

describe('every problem that prevents the start is printed on stderr:', () => {
  test('configuration errors', async () => {
    const problems = await problemsOf(
      start({ PORT: '0', PRESERVE_SESSIONS_ON_REBOOT: 'maybe', REFRESH_TOKEN_TTL: 'forever' }),
    )
    expect(problems).toEqual([
      expect.stringMatching(/^PRESERVE_SESSIONS_ON_REBOOT must be 1 or 0/),
      expect.stringMatching(/^PORT must be a whole number/),
      expect.stringMatching(/^REFRESH_TOKEN_TTL must be a duration/),
    ])
  })

  test('missing keys and an unusable database', async () => {
    await writeFile(join(folder, 'data'), 'a file, where a folder must be')
    const DATABASE_URL = `file:${databaseFile}`
    const server = start({ PRESERVE_SESSIONS_ON_REBOOT: '1', DATABASE_URL })
    expect(await problemsOf(server)).toEqual([
      expect.stringMatching(/^There are no keys in/),
      expect.stringMatching(/^The database .* cannot be opened/),
    ])
  })
})

describe('after a reboot', () => {
  /** A server that somebody signed up on, and that was stopped. */
  async function signUpAndStop(changes: Record<string, string>) {
    const server = start(changes)
    const client = await TestClient.registered(await server.ready())
    const session = await client.signUp()
    expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
    await stop(server)
    return { client, session, email: session.answer.body.account.email as string }
  }

  /** The account still exists, and signing in to it works. */
  async function expectAccountSurvives(client: TestClient, email: string, id: string) {
    const again = await client.login(email)
    expect(again.answer.body.account.id).toBe(id)
    expect((await client.sendAs(again, 'GET', '/account')).status).toBe(200)
  }

  test('with new keys, old tokens are refused and the account survives', async () => {
    const { client, session, email } = await signUpAndStop({})
    const server = start()
    await server.ready()
    expect(server.logs()).toContainEqual(expect.objectContaining({ removed: 1 }))
    const answer = await client.sendAs(session, 'GET', '/account')
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_token'])
    await expectAccountSurvives(client, email, session.answer.body.account.id)
  })

  test.each([
    ['plain', ''],
    ['protected', 'correct horse battery staple'],
  ])('with the same keys (%s), tokens, session and database key survive', async (_, passphrase) => {
    await makeKeys(passphrase === '' ? undefined : passphrase)
    const preserved = { PRESERVE_SESSIONS_ON_REBOOT: '1', PRIVATE_KEY_PASSPHRASE: passphrase }
    const { client, session } = await signUpAndStop(preserved)
    await start(preserved).ready()
    const answer = await client.sendAs(session, 'GET', '/account')
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        account: session.answer.body.account,
        session_id: session.sessionId,
        database_key: session.databaseKey,
      },
    ])
  })

  test('with replaced keys, old tokens are refused and the account survives', async () => {
    await makeKeys()
    const preserved = { PRESERVE_SESSIONS_ON_REBOOT: '1' }
    const { client, session, email } = await signUpAndStop(preserved)
    await rm(keysDir, { recursive: true })
    await makeKeys()
    await start(preserved).ready()
    const answer = await client.sendAs(session, 'GET', '/account')
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_token'])
    await expectAccountSurvives(client, email, session.answer.body.account.id)
  })

  test('after a crash, nothing that was acknowledged is lost', async () => {
    await makeKeys()
    const preserved = { PRESERVE_SESSIONS_ON_REBOOT: '1' }
    const first = start(preserved)
    const client = await TestClient.registered(await first.ready())
    const session = await client.signUp()
    first.signal('SIGKILL')
    expect(await first.exit).toBe('SIGKILL')
    await start(preserved).ready()
    expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
  })
})

describe('the keys command', () => {
  test('generates keys that it lists and the server uses, and does not overwrite them', async () => {
    const made = keys('generate')
    expect(await made.exit).toBe(0)
    expect(made.stderr.text).toMatch(/^Back them up\. .*\n$/)
    const listed = keys('list')
    expect(await listed.exit).toBe(0)
    const kids = [...listed.stdout.text.matchAll(/^([\w-]{43}) +(sig|enc) +\S+ +\S+ +(\w+) .*$/gm)]
    expect(kids.map(([, , use, state]) => `${use} ${state}`)).toEqual([
      'sig current',
      'sig next',
      'enc current',
      'enc next',
    ])
    for (const [row] of kids) expect(made.stdout.text).toContain(row)

    const before = await readFile(join(keysDir, 'sig.key'), 'utf8')
    const again = keys('generate')
    expect(await again.exit).toBe(1)
    expect(again.stdout.text).toBe('')
    expect(again.stderr.text).toMatch(
      /^There are already keys in .*: enc\.key, enc\.next\.key, sig\.key, sig\.next\.key\. Nothing was changed\. .*\n$/,
    )
    expect(await readFile(join(keysDir, 'sig.key'), 'utf8')).toBe(before)

    const url = await start({ PRESERVE_SESSIONS_ON_REBOOT: '1' }).ready()
    const jwks = await getRaw(url, '/.well-known/jwks.json')
    for (const [, kid] of kids) expect(jwks).toContain(`"kid":"${kid}"`)
  })

  test('rotate fails with a sentence if there are no keys', async () => {
    await mkdir(keysDir)
    const rotated = keys('rotate')
    expect(await rotated.exit).toBe(1)
    expect(rotated.stdout.text).toBe('')
    expect(rotated.stderr.text).toMatch(/^There are no keys in .*generate.*\n$/)
    expect(rotated.stderr.text).not.toContain('    at ')
  })

  test('list fails with a sentence if there are no keys', async () => {
    const listed = keys('list')
    expect(await listed.exit).toBe(1)
    expect(listed.stdout.text).toBe('')
    expect(listed.stderr.text).toMatch(/^There are no keys in .*generate.*\n$/)
    expect(await readdir(folder)).toEqual([])
  })

  test('--json prints only JSON to stdout, even if there are notes', async () => {
    env = { ...env, TOKEN_SIGNING_ALG: 'PS256' }
    const made = keys('generate', '--json')
    expect(await made.exit).toBe(0)
    expect(made.stderr.text).toMatch(/^Making RSA keys\. .*\nBack them up\. .*\n$/)
    expect(JSON.parse(made.stdout.text)).toHaveLength(4)
  })

  test('passphrase reads the new one from the environment, and asks nothing without a terminal', async () => {
    await makeKeys('old')
    const stuck = keys('list')
    expect(await stuck.exit).toBe(1)
    expect(stuck.stderr.text).toBe('There is no terminal to ask on. Set PRIVATE_KEY_PASSPHRASE.\n')
    env = { ...env, PRIVATE_KEY_PASSPHRASE: 'old', NEW_PRIVATE_KEY_PASSPHRASE: 'new' }
    expect(await keys('passphrase').exit).toBe(0)
    const server = start({ PRESERVE_SESSIONS_ON_REBOOT: '1', PRIVATE_KEY_PASSPHRASE: 'new' })
    await server.ready()
  })

  test('rotate, run twice concurrently, happens once or twice and never by half', async () => {
    await makeKeys()
    const both = [keys('rotate'), keys('rotate')]
    const codes = await Promise.all(both.map(({ exit }) => exit))
    const done = codes.filter((code) => code === 0).length
    expect(done).toBeGreaterThan(0)
    both.forEach(({ stderr }, index) => {
      expect(stderr.text).toMatch(
        codes[index] === 0
          ? /^A running server loads the new keys .*\n$/
          : /^Another command is changing .* Wait until it has finished.*\n$/,
      )
    })
    const { algorithms } = testConfig()
    const { sig, enc } = await loadKeys({ path: keysDir, passphrase: undefined, algorithms })
    expect([sig.previous.length, enc.previous.length]).toEqual([done, done])
    expect((await readdir(keysDir)).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test.each([[['destroy']], [[]], [['generate', 'twice']]])(
    'refuses the arguments %j with a sentence and exit code 2',
    async (args) => {
      const program = keys(...args)
      expect(await program.exit).toBe(2)
      expect(program.stdout.text).toBe('')
      expect(program.stderr.text).toMatch(/^[^\n]+\. See: npm run keys -- --help\n$/)
      expect(await readdir(folder)).toEqual([])
    },
  )
})
