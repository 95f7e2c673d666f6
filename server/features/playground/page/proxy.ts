import { base64url } from 'jose'
import { AuthClient, hasCode, type ClientStore } from '../../../../client/index.ts'
import { madeUpPerson } from './made-up.ts'
import { statusInWords } from './present-exchange.ts'
import { record, type Exchange } from './wire.ts'

/** A sign-up as a proxy sees it where TLS ends. */
export interface SignUpSeen {
  readonly exchange: Exchange
  readonly email: string
  readonly password: string
  /** Undefined if the server has refused the sign-up. */
  readonly databaseKey: string | undefined
}

/**
 * Signs up an invented person, records the request and its answer, and removes the account.
 *
 * @param options Of a client with its own store.
 */
export async function watchSignUp(options: {
  readonly server: string
  readonly issuer: string
  readonly store: ClientStore
  readonly sealedBodies: 'required' | 'never'
}): Promise<SignUpSeen> {
  let exchange: Exchange | undefined
  const client = new AuthClient({
    ...options,
    clientName: 'Playground, step 8',
    async fetch(request) {
      const [response, recorded] = await record(request)
      const { method, url } = recorded
      // The last one, because the client may have had to try again.
      if (method === 'POST' && url === `${options.server}/account`) exchange = recorded
      return response
    },
  })
  const person = madeUpPerson()
  const databaseKey = await signUpAndLeave(client, person)
  if (exchange === undefined) throw new Error('The sign-up was not sent.')
  return { exchange, ...person, databaseKey }
}

/** Returns the `database_key` that came with the session. */
async function signUpAndLeave(
  client: AuthClient,
  person: ReturnType<typeof madeUpPerson>,
): Promise<string | undefined> {
  try {
    await client.signUp(person)
  } catch (error) {
    if (hasCode(error, 'sealed_body_required')) return undefined
    throw error
  }
  const { database_key } = await client.account.read()
  await client.account.remove(person.password)
  return database_key ?? undefined
}

/** The bodies, the headers that the client has set, and the media type of the answer. */
export function textOf({ method, url, headers, body, status, answerHeaders, answer }: Exchange) {
  const type = answerHeaders.get('content-type') ?? ''
  return {
    request: [
      `${method} ${new URL(url).pathname}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      '',
      new TextDecoder().decode(body),
    ].join('\n'),
    answer: [statusInWords(status), `content-type: ${type}`, '', answer].join('\n'),
  }
}

/** Whether an exchange contains a text: as it is, or encoded in base64url. */
export function contains(exchange: Exchange, text: string): boolean {
  const { request, answer } = textOf(exchange)
  const wire = [request, answer, ...[...exchange.answerHeaders].flat()].join('\n')
  const encoded = [...wire.matchAll(/[\w-]{8,}/g)].map(([part]) => decode(part))
  return [wire, ...encoded].some((each) => each.includes(text))
}

function decode(part: string): string {
  try {
    return new TextDecoder().decode(base64url.decode(part))
  } catch {
    // A word that is not base64url.
    return ''
  }
}
