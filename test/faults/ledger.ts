/** Clients at work, and what the server has acknowledged to them. */
import { GOOD_PASSWORD, someEmail, type TestClient } from '../support/client.ts'

export interface Entry {
  readonly email: string
  /** The account's name, as the server has acknowledged it. */
  name: string | null
  accessJws: string
  refreshJws: string
  /** The refresh token that `refreshJws` replaced. */
  usedJws?: string
  isEnded: boolean
  /** What was sent but not answered: it may have happened. */
  pending?: 'rename' | 'refresh' | 'logout' | 'revoke' | undefined
}

/** How often each is chosen, out of ten. */
const ACTIONS = ['signUp', 'signUp', 'rename', 'rename', 'refresh', 'refresh', 'refresh'] as const
const ENDINGS = ['logout', 'revoke'] as const

export interface Load {
  readonly ledger: readonly Entry[]
  /** The number of answers so far. */
  readonly answers: number
  /** Resolves when every worker has noticed the server's end. Rejects with any other error. */
  readonly over: Promise<void>
  /** Announces the end, so that failed requests are not counted as faults of the server. */
  stop(): void
}

/** Workers sign up, rename themselves, refresh and leave until the server is gone. */
export function startLoad(client: TestClient, workers: number, random: () => number): Load {
  const ledger: Entry[] = []
  const load = { answers: 0, isStopping: false }
  const oneOf = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!

  async function signUp(): Promise<Entry> {
    const email = someEmail()
    const { accessJws, refreshJws } = await client.signUp(email, GOOD_PASSWORD)
    const entry: Entry = { email, name: null, accessJws, refreshJws, isEnded: false }
    ledger.push(entry)
    return entry
  }

  async function change(entry: Entry, action: NonNullable<Entry['pending']>): Promise<void> {
    entry.pending = action
    switch (action) {
      case 'rename': {
        const name = `name ${load.answers}`
        expectStatus(200, await client.sendAs(entry, 'PATCH', '/account', { name }))
        entry.name = name
        break
      }
      case 'refresh': {
        const answer = await refresh(client, entry.refreshJws)
        expectStatus(200, answer)
        entry.usedJws = entry.refreshJws
        entry.accessJws = await client.open(answer.body.access_token)
        entry.refreshJws = await client.open(answer.body.refresh_token)
        break
      }
      case 'logout':
        expectStatus(204, await client.sendAs(entry, 'POST', '/account/logout'))
        entry.isEnded = true
        break
      case 'revoke': {
        const token = await client.seal(entry.refreshJws)
        expectStatus(200, await client.send('POST', '/revoke', { token }))
        entry.isEnded = true
      }
    }
    entry.pending = undefined
  }

  async function work(): Promise<void> {
    const own: Entry[] = []
    for (;;) {
      const alive = own.filter(({ isEnded }) => !isEnded)
      const action = random() < 0.1 ? oneOf(ENDINGS) : oneOf(ACTIONS)
      if (alive.length === 0 || action === 'signUp') own.push(await signUp())
      else await change(oneOf(alive), action)
      load.answers += 1
    }
  }

  const working = Array.from({ length: workers }, () =>
    work().catch((error: unknown) => {
      // `fetch` rejects with another realm's TypeError if the connection is lost.
      if (!load.isStopping || (error as Error).name !== 'TypeError') throw error
    }),
  )
  return {
    ledger,
    get answers() {
      return load.answers
    },
    over: Promise.all(working).then(() => undefined),
    stop: () => (load.isStopping = true),
  }
}

export const refresh = async (client: TestClient, jws: string) =>
  client.send('POST', '/token', {
    grant_type: 'refresh_token',
    refresh_token: await client.seal(jws),
  })

function expectStatus(expected: number, { status, text }: { status: number; text: string }): void {
  if (status !== expected) throw new Error(`${status} ${text} instead of ${expected}`)
}
