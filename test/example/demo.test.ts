import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { createTerminal, shorten } from '../../example/terminal.ts'
import { createClock } from '../support/clock.ts'
import { freePort, killAll, run } from '../support/process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const ESCAPE = '\u001b'

let server: TestServer
beforeAll(async () => {
  const clock = createClock(Math.floor(Date.now() / 1000) * 1000)
  server = await startTestServer({ clock, config: { issuer: 'https://auth.test' } })
})
afterAll(() => server.stop())
afterEach(killAll)

async function demo(...args: string[]) {
  const program = run('example/demo.ts', {}, args)
  const code = await program.exit
  return { code, stdout: await program.stdout.ended, stderr: await program.stderr.ended }
}

/** Checks what every run must show. */
function expectWholeRoundTrip(stdout: string) {
  const titles = stdout.split('\n').filter((line) => /^\d+\. /.test(line))
  expect(titles.map((line) => Number.parseInt(line))).toEqual(
    Array.from({ length: 12 }, (_, i) => i + 1),
  )
  expect(stdout).toMatch(/eyJ[\w-]+\n? *[\w-]+…/)
  expect(stdout).toMatch(/exp +\d{10} +expires in 1[45] min \d+ s/)
  expect(stdout).toContain('✓ The signature is valid')
  expect(stdout).toMatch(/✗ With character \d+ of the claims changed from . to .: refused\./)
  expect(stdout).toMatch(/cnf +\{"jwk":/)
  expect(stdout).toMatch(/req\.htm +PATCH/)
  expect(stdout).toMatch(/req\.mac +[\w-]+/)
  expect(stdout).toContain('✓ Accepted with 200')
  expect(stdout).toContain('✗ The same request again: refused, 401: The access token is not valid.')
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
    '✗ Sent as POST /account/logout: refused, 401: The access token is not valid.',
  )
  expect(stdout).toContain('✓ Sent as GET /account: accepted, 200.')
  expect(stdout).toMatch(/cnf +\{"jwk":/)
  expect(stdout).toMatch(/req\.mac +\S/)
  for (const path of ['/account', '/notes']) {
    expect(stdout).toContain(`✗ GET ${path} by the thief: refused, 401`)
    expect(stdout).toContain(`✓ GET ${path} by this client: accepted, 200.`)
  }
  expect(stdout).toContain('✗ GET /account: refused, 401: The access token is not valid.')
  expect(stdout).toContain('✗ The proxy has read the address, the password, and the database_key.')
  expect(stdout).not.toContain(ESCAPE)
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
}

test('without an argument, starts its own server and leaves nothing on disk', async () => {
  const disk = () => [existsSync('data'), readdirSync('keys')]
  const before = disk()
  const { code, stdout, stderr } = await demo()
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/The demo has started a server of its own at http:\/\/127\.0\.0\.1:\d+/)
  expectWholeRoundTrip(stdout)
  expect(disk()).toEqual(before)
})

test('with a URL, uses that server, whatever its issuer, and removes its account', async () => {
  const { code, stdout, stderr } = await demo(`${server.url}/`)
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain(`The demo uses the server at ${server.url}.`)
  expect(stdout).toMatch(/iss +https:\/\/auth\.test/)
  expectWholeRoundTrip(stdout)
  expect(stdout).toContain('This server does not offer sealed bodies.')
  const accounts = await server.database.selectFrom('accounts').selectAll().execute()
  expect(accounts).toEqual([])
  expect(server.logs.join('')).toContain('request_replayed')
})

describe('an address without such a server is reported:', () => {
  test.each([
    ['nonsense', '"nonsense" is not a URL. Use one such as http://localhost:3000.'],
    ['http://', '"http://" is not a URL. Use one such as http://localhost:3000.'],
  ])('%s', async (url, sentence) => {
    const { code, stdout, stderr } = await demo(url)
    expect([code, stdout, stderr]).toEqual([1, '', `${sentence}\n`])
  })

  test('nothing answers', async () => {
    const url = `http://localhost:${await freePort()}`
    const { code, stdout, stderr } = await demo(url)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toBe(`No server answers at ${url}. Start one with: npm start\n`)
  })

  test.each(['<p>', '{}', 'null', '{"issuer":"https://x.test"}'])('answers %s', async (text) => {
    const other = createServer((_, response) => response.end(text)).listen(0, '127.0.0.1')
    await once(other, 'listening')
    try {
      const url = `http://127.0.0.1:${(other.address() as { port: number }).port}`
      const { code, stdout, stderr } = await demo(url)
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toBe(`The server at ${url} is not a jwe-auth-server.\n`)
    } finally {
      other.close()
    }
  })
})

describe('the terminal', () => {
  const written = (output: object, long = 'x'.repeat(500)) => {
    let text = ''
    const terminal = createTerminal({ write: (piece: string) => (text += piece), ...output })
    terminal.step('Title', 'word '.repeat(100).trim())
    terminal.block([
      ['cyan', long],
      ['green', long],
    ])
    terminal.table([
      ['name', long, 'short'],
      ['name', 'value', 'word '.repeat(40).trim()],
      ['name', 'value', ''],
    ])
    terminal.legend('red', '1', 'word '.repeat(40).trim())
    terminal.outcome(true, 'good')
    terminal.outcome(false, 'word '.repeat(40).trim())
    return text
  }
  // eslint-disable-next-line no-control-regex -- styles are control characters
  const plain = (text: string) => text.replace(/\u001b\[\d+m/g, '')
  const widest = (text: string) => Math.max(...text.split('\n').map((line) => line.length))

  test('has colour if the output supports it, and the same text otherwise', () => {
    const coloured = written({ isTTY: true, columns: 80, hasColors: () => true })
    const piped = written({})
    expect(coloured).toContain(`${ESCAPE}[36m`)
    expect(piped).not.toContain(ESCAPE)
    expect(written({ isTTY: true, columns: 80, hasColors: () => false })).toBe(piped)
    expect(plain(coloured)).toBe(piped)
  })

  test.each([
    [undefined, 80],
    [40, 40],
    [60, 60],
    [300, 100],
  ])('of %s columns gets lines of %d', (columns, width) => {
    const text = written(columns === undefined ? {} : { columns })
    expect(widest(text)).toBe(width)
    expect(text).not.toMatch(/ \n/)
  })

  test('a long text is shortened in the middle', () => {
    expect(shorten('short', 5)).toBe('short')
    expect(shorten('0123456789', 7)).toBe('0123…89')
  })
})
