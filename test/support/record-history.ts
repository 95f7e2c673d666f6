/** Records what clients see of a server, or of several behind one address, under concurrent use. */
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import { someEmail, type Answer, type TestClient } from './client.ts'
import type { Kind, Operation } from './history.ts'

const ACCOUNTS = 2
const WORKERS = 8

/** Mulberry32: a seed gives the same numbers everywhere. */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Live {
  readonly id: string
  tokens: Tokens
  /** The previous refresh token, which is used up. */
  usedJws: string | undefined
  /** One renewal at a time, like a client with one store; but see `renew`. */
  isRenewing: boolean
}

interface Tokens {
  readonly generation: number
  readonly accessJws: string
  readonly refreshJws: string
}

const jtiOf = (jws: string): string => decodeJwt(jws).jti!

interface Person {
  readonly email: string
  password: string
  /** What the password may have become: the answer was lost. */
  readonly maybe: string[]
  readonly sessions: Live[]
}

/** How often each is chosen, out of a hundred. Few operations end sessions, so that many stay alive. */
const WEIGHTS: readonly (readonly [Kind, number])[] = [
  ['use', 26],
  ['refresh', 20],
  ['login', 25],
  ['logout', 6],
  ['endOne', 8],
  ['revoke', 5],
  ['endOthers', 4],
  ['password', 6],
]

const FROM_ELSEWHERE: readonly Kind[] = ['endOne', 'endOthers']

/**
 * Lets workers do as the seed says, over HTTP, and gives what they saw.
 *
 * @param operations How many, beside the sign-ups and the last look at each session.
 */
export async function record(
  client: TestClient,
  seed: number,
  operations: number,
): Promise<Operation[]> {
  const next = random(seed)
  const below = (count: number) => Math.floor(next() * count)
  const history: Operation[] = []
  const everySession: [Person, Live][] = []
  // These routes are a feature's, which may be taken out.
  const canEndElsewhere = (await client.send('GET', '/account/sessions')).status !== 404
  const weights = WEIGHTS.filter(([kind]) => canEndElsewhere || !FROM_ELSEWHERE.includes(kind))
  let passwords = 0
  const people: Person[] = Array.from({ length: ACCOUNTS }, () => ({
    email: someEmail(),
    password: `password number ${passwords++}`,
    maybe: [],
    sessions: [],
  }))

  /** Prepares everything first, so that the times are those of the request alone. */
  async function timed(
    operation: Omit<Operation, 'start' | 'end' | 'status' | 'error'>,
    send: () => Promise<Answer>,
  ): Promise<{ readonly answer: Answer; readonly tokens: Tokens | undefined }> {
    const start = performance.now()
    const answer = await send()
    const end = performance.now()
    const { status, body } = answer
    // Its result is known only now.
    const session = operation.session ?? (body?.session_id as string | undefined)
    const tokens = await opened(answer)
    const gives = operation.kind === 'refresh' ? tokens && jtiOf(tokens.refreshJws) : undefined
    history.push({ ...operation, session, gives, start, end, status, error: body?.error })
    // As Retry-After asks, so that an unreachable server does not use up the operations.
    if (status >= 500) await sleep(200)
    return { answer, tokens }
  }

  /** The tokens of an answer, if it has any. */
  async function opened({ body }: Answer): Promise<Tokens | undefined> {
    if (body?.access_token === undefined) return undefined
    const accessJws = await client.open(body.access_token)
    const { gen = 0 } = decodeJwt<{ gen?: number }>(accessJws)
    return { generation: gen, accessJws, refreshJws: await client.open(body.refresh_token) }
  }

  async function signIn(person: Person, path: string): Promise<void> {
    const { email, password } = person
    const body = { email, password, client_id: client.id }
    const { answer, tokens } = await timed(
      { kind: 'login', account: email, session: undefined, password },
      () => client.send('POST', path, body),
    )
    if (tokens === undefined) {
      const other = answer.status === 401 ? person.maybe.shift() : undefined
      if (other !== undefined && person.password === password) {
        person.maybe.push(password)
        person.password = other
      }
      return
    }
    const id = answer.body.session_id as string
    const session = { id, tokens, usedJws: undefined, isRenewing: false }
    everySession.push([person, session])
    person.sessions.push(session)
    // Forgets the oldest now and then, or nearly everybody would be signed out in the end.
    if (person.sessions.length > 6) person.sessions.shift()
  }

  /**
   * Renews, sometimes twice at once (an answer that is late, a second tab), and sometimes with the
   * token before (an answer that was lost, or a copy).
   */
  async function renew(person: Person, session: Live): Promise<void> {
    if (session.isRenewing) return
    session.isRenewing = true
    const { tokens, usedJws } = session
    const isLate = usedJws !== undefined && below(4) === 0
    const jws = isLate ? usedJws : tokens.refreshJws
    const { gen = 0 } = decodeJwt<{ gen?: number }>(jws)
    const times = below(3) === 0 ? 2 : 1
    const sealed = await Promise.all(Array.from({ length: times }, () => client.seal(jws)))
    const operation = {
      ...({ kind: 'refresh', account: person.email, session: session.id } as const),
      generation: gen,
      token: jtiOf(jws),
    }
    const renewed = await Promise.all(
      sealed.map((refresh_token) =>
        timed(operation, () =>
          client.send('POST', '/token', { grant_type: 'refresh_token', refresh_token }),
        ),
      ),
    )
    const fresh = renewed.find(({ tokens }) => tokens !== undefined)?.tokens
    // Unless the password was changed meanwhile, which gave fresher tokens.
    if (fresh !== undefined && session.tokens === tokens) {
      session.usedJws = jws
      session.tokens = fresh
    }
    session.isRenewing = false
  }

  async function act(kind: Kind): Promise<void> {
    const person = people[below(ACCOUNTS)]!
    const session = person.sessions[below(person.sessions.length)]
    const target = person.sessions[below(person.sessions.length)]
    if (kind === 'login' || session === undefined || target === undefined) {
      await signIn(person, '/account/login')
      return
    }
    if (kind === 'refresh') {
      await renew(person, session)
      return
    }
    const others = person.sessions.filter((other) => other !== session)
    const other = others[below(others.length)]
    const ended = {
      use: undefined,
      endOthers: other,
      logout: session,
      endOne: target,
      revoke: target,
      // It ends the other sessions, and every earlier token of its own.
      password: below(2) === 0 ? session : other,
    }[kind]
    // Ready to be sent at the moment when the ending is acknowledged.
    const probe = ended === undefined ? undefined : await preparedUse(person, ended)
    await send(kind, person, session, target)
    await probe?.()
  }

  /** A use of a session, with its token already sealed. */
  async function preparedUse(
    person: Person,
    { id, tokens: { accessJws, generation } }: Live,
  ): Promise<() => Promise<unknown>> {
    const authorization = `Bearer ${await client.seal(accessJws)}`
    return () =>
      timed({ kind: 'use', account: person.email, session: id, generation }, () =>
        client.send('GET', '/account', undefined, { authorization }),
      )
  }

  async function send(
    kind: Exclude<Kind, 'login' | 'refresh'>,
    person: Person,
    session: Live,
    target: Live,
  ): Promise<void> {
    const account = person.email
    if (kind === 'revoke') {
      const { accessJws, refreshJws, generation } = target.tokens
      const token = await client.seal(below(2) === 0 ? accessJws : refreshJws)
      const operation = { kind, account, session: undefined, target: target.id, generation }
      await timed(operation, () => client.send('POST', '/revoke', { token }))
      return
    }
    const { accessJws, generation } = session.tokens
    const authorization = `Bearer ${await client.seal(accessJws)}`
    const to = (method: string, path: string, body?: unknown) => () =>
      client.send(method, path, body, { authorization })
    const operation = { kind, account, session: session.id, generation }
    switch (kind) {
      case 'use':
        await timed(operation, to('GET', '/account'))
        break
      case 'logout':
        await timed(operation, to('POST', '/account/logout'))
        break
      case 'endOne':
        await timed(
          { ...operation, target: target.id },
          to('DELETE', `/account/sessions/${target.id}`),
        )
        break
      case 'endOthers':
        await timed(operation, to('DELETE', '/account/sessions'))
        break
      case 'password': {
        const { password } = person
        const changed = `password number ${passwords++}`
        const { answer, tokens } = await timed(
          { ...operation, password },
          to('PUT', '/account/password', { current_password: password, new_password: changed }),
        )
        if (answer.status >= 500) person.maybe.push(changed)
        if (tokens === undefined) return
        person.password = changed
        session.tokens = tokens
      }
    }
  }

  const choose = (): Kind => {
    let left = next() * weights.reduce((sum, [, weight]) => sum + weight, 0)
    return weights.find(([, weight]) => (left -= weight) < 0)?.[0] ?? 'use'
  }
  for (const person of people) {
    // The first answer may be lost, although the account was created.
    for (let tries = 0; person.sessions.length === 0; tries++) {
      await signIn(person, tries % 2 === 0 ? '/account' : '/account/login')
    }
  }
  let begun = 0
  const worker = async () => {
    while (begun++ < operations) await act(choose())
  }
  await Promise.all(Array.from({ length: WORKERS }, worker))
  // Whoever was signed out stays signed out.
  for (const [person, session] of everySession) await (await preparedUse(person, session))()
  return history
}
