/**
 * Shows one round trip step by step, for people who have never heard of JWE. Run it with
 * `npm run demo`, or with `npm run demo -- http://localhost:3000` to use a server that is already
 * running. Everything that it shows is computed while it runs.
 */
import { randomBytes } from 'node:crypto'
import { AuthClient, AuthError, memoryStore } from '../client/index.ts'
import {
  DemoError,
  findServer,
  startNotes,
  startOwnServer,
  type DemoServer,
} from './demo-server.ts'
import {
  sealAndReplay,
  showAnswer,
  showJwe,
  showOpened,
  stealAndUse,
  verifyTwice,
  type Scene,
} from './demo-steps.ts'
import { showSignUp } from './sign-up-on-the-wire.ts'
import { createTerminal } from './terminal.ts'
import { createWire, resend } from './wire.ts'

const [address] = process.argv.slice(2)
// The reader may stop early, as in `npm run demo | head`. The demo must still clean up.
process.stdout.on('error', () => undefined)
try {
  const server = await (address === undefined ? startOwnServer() : findServer(address))
  try {
    const notes = await startNotes(server)
    await roundTrip(server, notes.url, address === undefined).finally(notes.stop)
  } finally {
    await server.stop()
  }
} catch (error) {
  if (!(error instanceof DemoError || error instanceof AuthError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

async function roundTrip(server: DemoServer, notes: string, isOwn: boolean): Promise<void> {
  const { url, issuer } = server
  const terminal = createTerminal(process.stdout)
  const store = memoryStore()
  const wire = createWire()
  const client = new AuthClient({
    server: url,
    issuer,
    services: [notes],
    store,
    fetch: wire.fetch,
    clientName: 'npm run demo',
  })
  const scene: Scene = { terminal, client, store, wire }
  const id = randomBytes(4).toString('hex')
  const person = {
    name: 'Ada',
    email: `ada-${id}@lovelace.test`,
    password: randomBytes(16).toString('base64url'),
  }
  terminal.say(
    isOwn
      ? `The demo has started a server of its own at ${url}, and stops it at the end.`
      : `The demo uses the server at ${url}. Its issuer is ${issuer}.`,
  )

  terminal.step(
    'This client makes a key',
    'The private half never leaves it. The server gets the public half, and identifies the client by its thumbprint.',
  )
  const { id: clientId, publicJwk } = await client.register()
  const { kty, crv, x, n } = publicJwk
  terminal.table([
    ['type', [kty, crv].filter(Boolean).join(' '), 'the kind of key'],
    ['public', x ?? n ?? '', 'the public half'],
    ['client_id', clientId, 'its thumbprint (RFC 7638)'],
  ])

  terminal.step('A person signs up', 'The demo has just made up the person and a random password.')
  const { account, sessionId } = await client.signUp(person)
  terminal.table([
    ['email', person.email, ''],
    ['account', account?.id ?? '', 'assigned by the server'],
  ])

  terminal.step(
    'The answer brings an access token, encrypted to this client',
    'It is a JWE: five parts, separated by dots. Nobody in between can read it, or change it unnoticed.',
  )
  const token = await client.accessToken()
  showJwe(scene, token.jwe)

  terminal.step(
    'The client opens it with its private key',
    'Inside is a JWS, a signed token: first its header, then its claims.',
  )
  showOpened(scene, token)

  terminal.step(
    'The client checks who wrote it',
    'Anybody can encrypt to a public key, so encryption proves nothing. The signature does: only the server can make it, and anybody can check it with the published key.',
  )
  await verifyTwice(scene, token.jws)

  terminal.step(
    'The client uses the token',
    'It encrypts the JWS again, this time to the server\'s key, and for a single request, which "req" in the header names.',
  )
  await sealAndReplay(scene)

  terminal.step(
    'Somebody intercepts a request, and sends its token elsewhere',
    'The token was sealed for GET /account. That request never arrived, so the token is still unused. The thief tries to sign the person out with it.',
  )
  const stopped = await wire.intercept(() => client.fetch('/account'))
  const moved = { ...stopped, method: 'POST', url: `${url}/account/logout` }
  showAnswer(scene, 'Sent as POST /account/logout', await resend(moved))
  showAnswer(scene, 'Sent as GET /account', await resend(stopped))

  terminal.step(
    'Somebody has the opened token itself',
    'A service has opened it, or it was in a copy of the memory. The thief encrypts it again, for requests to the server and to a notes service. But the token names the key of step 1 ("cnf"), and every request needs a proof by that key ("req.mac"). The thief makes another key, and tries.',
  )
  await stealAndUse(scene, server, notes)

  terminal.step(
    'The session comes with a key for local data',
    'The client encrypts what it stores on disk with the database_key, which the server keeps, and deletes with the session. The note "hello" is stored as:',
  )
  await (await client.vault()).set('note', 'hello')
  const [record = ''] = await store.vault(sessionId).ids()
  const bytes = await store.vault(sessionId).get(record)
  terminal.block([['green', Buffer.from(bytes ?? []).toString('base64url')]])

  terminal.step(
    'What a proxy reads where TLS ends',
    'Tokens are encrypted. But a password is sent at sign-up, and the database_key comes back. So bodies can be sealed, too. Two more people sign up, the first in plain JSON, and are removed again.',
  )
  await showSignUp(terminal, server, 'never')
  terminal.line()
  if (server.offersSealing) await showSignUp(terminal, server, 'required')
  else terminal.say('This server does not offer sealed bodies.')

  terminal.step(
    'The person signs out',
    'From now on the server refuses the token, although it has not expired. This request was sealed just before.',
  )
  const late = await wire.intercept(() => client.fetch('/account'))
  terminal.outcome(await client.signOut(), 'Signed out.')
  showAnswer(scene, 'GET /account', await resend(late))

  // The demo must leave nothing on a server that keeps running.
  await client.signIn(person)
  await client.account.remove(person.password)
  terminal.line()
  terminal.say(
    'That is all. The demo has removed the account again. Where to look next: README.md for the whole picture, client/ for what the client did, server/token/ for what the server did, and example/notes-service.ts for another service that accepts these tokens. A running server shows the same in a browser, at /.',
  )
}
