// Starts our own server, and makes the requests to it. Tokens are made before the clock starts.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { registerClient, send } from './support.js'
import { freePort, startProgram } from './processes.js'
import { agree, httpRequest, proofKey, prove, seal } from './seal.js'

const PROGRAM = join(import.meta.dirname, '../dist/server/index.js')
/** The tokens of one agreement: as many as the contract allows. */
const PER_AGREEMENT = 1000

/**
 * Starts a server from the build, without rate limits, and signs up `sessions` people.
 *
 * @param options.program Another program that starts it.
 * @param options.pinned Whether it runs on one core only.
 * @param options.keyBound How many more people are signed in with key-bound clients.
 * @param options.others How many more accounts are in the database, each with a session.
 * @param options.variables Environment variables.
 */
export async function startOurServer(sessions, options = {}) {
  const { program: script = PROGRAM, pinned = true, keyBound = 0 } = options
  const { others = 0, variables = {} } = options
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const folder = mkdtempSync(join(tmpdir(), 'jwe-auth-bench-'))
  const database = join(folder, 'auth.db')
  const program = await startProgram(
    script,
    {
      PORT: String(port),
      ISSUER: url,
      DATABASE_URL: `file:${database}`,
      PRESERVE_SESSIONS_ON_REBOOT: '0',
      ACCESS_TOKEN_TTL: '2h',
      NODE_ENV: 'development',
      ...Object.fromEntries(
        ['LOGIN', 'SIGN_UP', 'CLIENTS', 'RESET', 'REFRESH'].map((name) => [
          `RATE_LIMIT_${name}`,
          'off',
        ]),
      ),
      ...variables,
    },
    { pinned },
  )
  const people = []
  for (let n = 0; n < sessions; n++) {
    people.push(await signUp(url, `p${n}`))
    if (n === 0 && others > 0) copyRows(database, others)
  }
  const keyBoundPeople = []
  for (let n = 0; n < keyBound; n++) {
    keyBoundPeople.push(await signUp(url, `k${n}`, { keyBound: true }))
  }
  return {
    ...program,
    url,
    people,
    keyBoundPeople,
    async stop() {
      await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function signUp(url, name, options) {
  const client = await registerClient(url, options)
  const person = {
    email: `${name}@bench.test`,
    password: 'a long and winding road',
    client_id: client.id,
  }
  const { status, body } = await send(url, 'POST', '/account', person)
  if (status !== 201) throw new Error(`sign-up: ${status} ${JSON.stringify(body)}`)
  const [accessJws, refreshJws] = await Promise.all(
    [body.access_token, body.refresh_token].map(async (jwe) => Buffer.from(await client.open(jwe))),
  )
  return { client, person, accessJws, refreshJws }
}

/** The columns with ids of a client, an account, a session or a token. */
const NAMES = {
  clients: ['client_id'],
  accounts: ['id', 'email', 'email_key'],
  sessions: ['id', 'account_id', 'client_id'],
  refresh_tokens: ['jti_hash', 'session_id'],
  known_clients: ['account_id', 'client_id'],
}

/** Copies the rows of the only person in the database under other ids. */
function copyRows(file, copies) {
  const database = new Database(file)
  for (const [table, names] of Object.entries(NAMES)) {
    const columns = database
      .prepare('select name from pragma_table_info(?)')
      .all(table)
      .map(({ name }) => (names.includes(name) ? `n || '-' || ${name}` : name))
    database.exec(`
      with recursive copies (n) as (select 1 union all select n + 1 from copies where n < ${copies})
      insert into ${table} select ${columns.join(', ')} from ${table}, copies`)
  }
  // Otherwise, readers would look for the pages in the log.
  database.pragma('wal_checkpoint(truncate)')
  database.close()
}

/** The `req` of a token for `GET /account`. */
const bindTo = (url) => ({
  jti: randomUUID(),
  iat: Math.floor(Date.now() / 1000),
  htm: 'GET',
  htu: `${url}/account`,
})

/**
 * Makes requests for `GET /account`, from each person in turn.
 *
 * @param options.bound Whether each token is bound to its request, so that it is used once.
 * @param options.keyBound Whether the clients are key-bound, so that each request has a proof.
 * @param options.perAgreement How many tokens share a key agreement.
 */
export function accountRequests({ url, people, keyBoundPeople }, options) {
  const { bound, keyBound = false, perAgreement = PER_AGREEMENT } = options
  const senders = (keyBound ? keyBoundPeople : people).map((person) => ({
    ...person,
    agreement: undefined,
    left: 0,
    proofKey: keyBound ? proofKey(person.client) : undefined,
  }))
  const bindingOf = ({ proofKey, accessJws }) => {
    if (!bound) return undefined
    return keyBound ? prove(bindTo(url), proofKey, accessJws) : bindTo(url)
  }
  let turn = 0
  return () => {
    const sender = senders[turn++ % senders.length]
    if (sender.left === 0) {
      sender.agreement = agree(sender.client.serverJwk)
      sender.left = perAgreement
    }
    sender.left -= 1
    const token = seal(sender.accessJws, sender.agreement, bindingOf(sender))
    return httpRequest(url, 'GET', '/account', { Authorization: `Bearer ${token}` })
  }
}

/** The next request with a person's refresh token. Each token is used once. */
export function refreshRequest(url, person) {
  person.agreement ??= agree(person.client.serverJwk)
  const token = seal(person.refreshJws, person.agreement)
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const body = `grant_type=refresh_token&refresh_token=${token}`
  return httpRequest(url, 'POST', '/token', headers, body)
}

/** Takes the next refresh token from an answer. */
export async function keepRefreshToken(person, body) {
  person.refreshJws = Buffer.from(await person.client.open(JSON.parse(body).refresh_token))
}
