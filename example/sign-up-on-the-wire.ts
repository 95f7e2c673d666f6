import { randomBytes } from 'node:crypto'
import { AuthClient, hasCode, memoryStore, type SealedBodies } from '../client/index.ts'
import type { DemoServer } from './demo-server.ts'
import { shorten, type Run, type Terminal } from './terminal.ts'

/** Characters of a body to show: the answer's tokens come after that. */
const SHOWN = 420

/**
 * Signs somebody up, shows what a proxy sees of it where TLS ends, and removes the account. A
 * secret counts as read if it occurs in the bytes that went over the wire.
 */
export async function showSignUp(
  terminal: Terminal,
  { url, issuer }: DemoServer,
  sealedBodies: SealedBodies,
): Promise<void> {
  const wire: string[] = []
  const client = new AuthClient({
    server: url,
    issuer,
    store: memoryStore(),
    clientName: 'npm run demo',
    sealedBodies,
    async fetch(request) {
      const isSignUp = request.method === 'POST' && new URL(request.url).pathname === '/account'
      const sent = await request.clone().text()
      const response = await fetch(request)
      if (isSignUp) wire.splice(0, 2, sent, await response.clone().text())
      return response
    },
  })
  const email = `grace-${randomBytes(4).toString('hex')}@hopper.test`
  const password = randomBytes(16).toString('base64url')
  const databaseKey = await signUpAndLeave(client, email, password)
  const secrets = {
    'the address': email,
    'the password': password,
    ...(databaseKey !== undefined && { 'the database_key': databaseKey }),
  }
  const read = Object.entries(secrets).filter(([, secret]) => contains(wire.join('\n'), secret))
  const [sent = '', answered = ''] = wire
  for (const [title, text] of [
    ['POST /account', sent],
    ['The answer', answered],
  ] as const) {
    terminal.line(title)
    terminal.block(
      marked(
        shorten(text, SHOWN),
        read.map(([, secret]) => secret),
      ),
    )
  }
  const names = new Intl.ListFormat('en').format(
    read.length > 0 ? read.map(([name]) => name) : Object.keys(secrets),
  )
  terminal.outcome(
    read.length === 0,
    read.length > 0
      ? `The proxy has read ${names}.`
      : `The proxy has read nothing of this: ${names}.`,
  )
}

/** Returns the `database_key` that came with the session; `undefined` if the server insists on sealing. */
async function signUpAndLeave(
  client: AuthClient,
  email: string,
  password: string,
): Promise<string | undefined> {
  try {
    await client.signUp({ email, password })
  } catch (error) {
    if (hasCode(error, 'sealed_body_required')) return undefined
    throw error
  }
  const { database_key } = await client.account.read()
  await client.account.remove(password)
  return database_key ?? undefined
}

/** Whether a text contains another: as it is, or encoded in base64url. */
const contains = (text: string, other: string): boolean =>
  [text, ...text.split(/[^\w-]/).map((part) => Buffer.from(part, 'base64url').toString())].some(
    (each) => each.includes(other),
  )

/** A text in which every occurrence of some others is red. */
function marked(text: string, others: readonly string[]): Run[] {
  const [first, ...rest] = others
  if (first === undefined) return [['reset', text]]
  return text
    .split(first)
    .flatMap((part, i) => [...(i === 0 ? [] : [['red', first] as const]), ...marked(part, rest)])
}
