/** Mutations of valid access tokens, sent to a server. MUTATIONS is the number of each kind. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  agreeOn,
  sealJwe,
  type Agreement,
  type Recipient,
} from '../../client/token/jwe/seal-jwe.ts'
import { TestClient } from '../support/client.ts'
import { count, report, tally } from '../support/report.ts'
import { mutate, mutations } from '../token/token-mutations.ts'
import { eachOf, exchange } from './exchange.ts'
import { startHostileServer, type HostileServer } from './hostile-server.ts'

const MUTATIONS = Number(process.env['MUTATIONS'] ?? 5000)
const SEED = Number(process.env['SEED'] ?? 20_261_129)
/** Mutations for each pair of tokens: a binding is valid for a minute. */
const BATCH = 250

let server: HostileServer
let recipient: Recipient

beforeAll(async () => {
  server = await startHostileServer()
  const response = await fetch(`${server.url}/.well-known/jwks.json`)
  const { keys } = (await response.json()) as { keys: (Recipient & { use: string })[] }
  recipient = keys.find(({ use }) => use === 'enc')!
})
afterAll(() => server.stop())

const binding = () => ({
  jti: randomUUID(),
  iat: Math.floor(Date.now() / 1000),
  htm: 'GET',
  htu: `${server.url}/account`,
})

/** Signs up, and returns functions that make valid tokens. */
async function sealer(metadata: object): Promise<Sealer> {
  const client = await TestClient.registered(server.url, metadata)
  const { accessJws: jws } = await client.signUp()
  const bytes = new TextEncoder().encode(jws)
  return {
    plain: (header = {}) => client.seal(jws, header),
    agreed: (agreement) =>
      sealJwe(bytes, recipient, { enc: 'A128GCM', header: { cty: 'JWT' }, agreement }),
    proved: async () => client.seal(jws, { req: await client.prove(jws, binding()) }),
  }
}

interface Sealer {
  readonly plain: (header?: Record<string, unknown>) => Promise<string>
  readonly agreed: (agreement: Agreement | undefined) => Promise<string>
  readonly proved: () => Promise<string>
}

const statusOf = async (token: string) => {
  const headers = { Authorization: `Bearer ${token}` }
  return (await exchange(server.url, { method: 'GET', path: '/account', headers })).status
}

/** Whether HTTP can carry the token unchanged. The tests of token/ cover the rest. */
const fitsHeader = (token: string) =>
  /^[!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?$/.test(token)

interface Kind {
  readonly name: string
  readonly metadata?: object
  /** Two valid tokens of one session. */
  readonly make: (sealer: Sealer) => Promise<[string, string]>
  /** Whether they are sent before their mutations, so that the server knows their agreement. */
  readonly isKnown?: boolean
  /** Whether they are accepted only once. */
  readonly isBound?: boolean
}

const twice = async (make: () => Promise<string>): Promise<[string, string]> => [
  await make(),
  await make(),
]

const KINDS: Kind[] = [
  { name: 'plain', make: ({ plain }) => twice(() => plain()) },
  {
    name: 'known agreement',
    make: async ({ agreed }) => {
      const agreement = await agreeOn(recipient)
      return twice(() => agreed(agreement))
    },
    isKnown: true,
  },
  { name: 'bound', make: ({ plain }) => twice(() => plain({ req: binding() })), isBound: true },
  {
    name: 'key-bound',
    metadata: { key_bound_tokens: true },
    make: ({ proved }) => twice(proved),
    isBound: true,
  },
]

test.each(KINDS)(
  '$name tokens: only the originals are accepted',
  async ({ name, metadata = {}, make, ...kind }) => {
    const { isKnown = false, isBound = false } = kind
    const maker = await sealer(metadata)
    const statuses: number[] = []
    for (let seed = SEED; statuses.length < MUTATIONS; seed++) {
      const originals = await make(maker)
      if (isKnown) expect(await eachOf(originals, statusOf)).toEqual([200, 200])
      const mutants = fc
        .sample(mutations, { numRuns: BATCH, seed })
        .map((changes) => mutate(...originals, changes))
        .filter((token) => fitsHeader(token) && !originals.includes(token))
      const answers = await eachOf(mutants, async (token) => ({
        token,
        status: await statusOf(token),
      }))
      expect(answers.filter(({ status }) => status !== 401 && status !== 400)).toEqual([])
      statuses.push(...answers.map(({ status }) => status!))
      // The refused ones have used up nothing.
      expect(await eachOf(originals, statusOf)).toEqual([200, 200])
      if (isBound) expect(await eachOf(originals, statusOf)).toEqual([401, 401])
    }
    report(`${name} tokens: ${count(statuses.length)} mutations, none passed (${tally(statuses)})`)
    expect(server.faults()).toEqual([])
  },
)
