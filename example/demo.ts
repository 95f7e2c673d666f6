/**
 * Shows one round trip step by step, for people who have never heard of JWE. Run it with
 * `npm run demo`, or with `npm run demo -- http://localhost:3000` for a server that runs already.
 * Everything that it shows is computed while it runs.
 */
import { randomBytes } from 'node:crypto'
import { AuthClient, AuthError, memoryStore } from '../client/index.ts'
import { DemoError, findServer, startOwnServer, type DemoServer } from './demo-server.ts'
import {
  sealAndReplay,
  showAnswer,
  showJwe,
  showOpened,
  verifyTwice,
  type Scene,
} from './demo-steps.ts'
import { createTerminal } from './terminal.ts'
import { createWire, resend } from './wire.ts'

const [address] = process.argv.slice(2)
// The reader may stop early, as in `npm run demo | head`. The demo must still clean up.
process.stdout.on('error', () => undefined)
try {
  const server = await (address === undefined ? startOwnServer() : findServer(address))
  try {
    await roundTrip(server, address === undefined)
  } finally {
    await server.stop()
  }
} catch (error) {
  if (!(error instanceof DemoError || error instanceof AuthError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

async function roundTrip({ url, issuer }: DemoServer, isOwn: boolean): Promise<void> {
  const terminal = createTerminal(process.stdout)
  const store = memoryStore()
  const wire = createWire()
  const { fetch } = wire
  const client = new AuthClient({ server: url, issuer, store, fetch, clientName: 'npm run demo' })
  const scene: Scene = { terminal, client, store, wire }
  const id = randomBytes(4).toString('hex')
  const person = {
    ...{ name: 'Ada', email: `ada-${id}@lovelace.test` },
    password: randomBytes(16).toString('base64url'),
  }
  terminal.say(
    isOwn
      ? `A server of this demo's own listens at ${url}. It is gone when the demo ends.`
      : `The server at ${url} answers, and calls itself ${issuer}.`,
  )

  terminal.step(
    'This client makes a key',
    'The private half never leaves it. The server gets the public half, and calls the client by its thumbprint.',
  )
  const { id: clientId, publicJwk } = await client.register()
  const { kty, crv, x, n } = publicJwk
  terminal.table([
    ['type', [kty, crv].filter(Boolean).join(' '), 'a key to encrypt to'],
    ['public', x ?? n ?? '', 'the public half'],
    ['client_id', clientId, 'its thumbprint (RFC 7638)'],
  ])

  terminal.step('A person signs up', 'Made up just now, with a password of their own.')
  const { account, sessionId } = await client.signUp(person)
  terminal.table([
    ['email', person.email, ''],
    ['account', account?.id ?? '', 'given by the server'],
  ])

  terminal.step(
    'The answer brings an access token, encrypted to this client',
    'It is a JWE: five parts, with dots between them. Nobody on the way can read it, or change it unseen.',
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
    'Anybody can encrypt to a public key. The signature is what tells: only the server can make it, and all can check it with the key that it publishes.',
  )
  await verifyTwice(scene, token.jws)

  terminal.step(
    'The client uses the token',
    'It encrypts the JWS anew, to the key of the server, for this one request: "req" in the header says which.',
  )
  await sealAndReplay(scene)

  terminal.step(
    'Somebody stops a request, and sends its token elsewhere',
    'This one has never arrived, so nothing is used up. It was sealed for GET /account/sessions.',
  )
  const stopped = await wire.intercept(() => client.fetch('/account/sessions'))
  showAnswer(scene, 'As GET /account', await resend(stopped, '/account'))
  showAnswer(scene, 'As what it was sealed for', await resend(stopped))

  terminal.step(
    'The session brings a key for local data',
    'What the client keeps on disk is encrypted with the database_key, which lives on the server and dies with the session. A note "hello" is kept as:',
  )
  await (await client.vault()).set('note', 'hello')
  const [record = ''] = await store.vault(sessionId).ids()
  const bytes = await store.vault(sessionId).get(record)
  terminal.block([['green', Buffer.from(bytes ?? []).toString('base64url')]])

  terminal.step(
    'The person signs out',
    'From now on the server refuses the token, though it has not expired: here with a request that was sealed a moment before.',
  )
  const late = await wire.intercept(() => client.fetch('/account'))
  terminal.outcome(await client.signOut(), 'Signed out.')
  showAnswer(scene, 'GET /account', await resend(late))

  // The demo must leave nothing on a server that keeps running.
  await client.signIn(person)
  await client.account.remove(person.password)
  terminal.line()
  terminal.say(
    'That was all of it; the account is removed again. Where to look next: README.md for the whole, client/ for what the client did, server/token/ for what the server did, example/notes-service.ts for another service that takes these tokens, and in a browser the page at / of a running server.',
  )
}
