import { decodeProtectedHeader } from 'jose'
import type { AuthClient, ClientStore, OpenedToken } from '../client/index.ts'
import { JOSE } from '../protocol/sealed-bodies.ts'
import type { DemoServer } from './demo-server.ts'
import { MEANINGS, PARTS } from './meanings.ts'
import { shorten, type Terminal } from './terminal.ts'
import { useStolen } from './thief.ts'
import { resend, type Answer, type Wire } from './wire.ts'

/** What the steps share. */
export interface Scene {
  readonly terminal: Terminal
  readonly client: AuthClient
  readonly store: ClientStore
  readonly wire: Wire
}

export function showJwe({ terminal }: Scene, jwe: string): void {
  const parts = jwe.split('.')
  terminal.block(
    PARTS.flatMap(([style], i) => [
      ...(i === 0 ? [] : [['reset', '.'] as const]),
      [style, shorten(parts[i] ?? '', 150)] as const,
    ]),
  )
  terminal.line()
  PARTS.forEach(([style, name, meaning], i) => {
    const length = parts[i]?.length ?? 0
    terminal.legend(style, `${i + 1}`, `${name}, ${length} characters: ${meaning}`)
  })
}

export function showOpened({ terminal }: Scene, token: OpenedToken): void {
  const { header, claims } = token
  const left = claims.exp - Date.now() / 1000
  const time = `expires in ${Math.floor(left / 60)} min ${Math.floor(left % 60)} s`
  const show = (part: object) => {
    terminal.table(
      Object.entries(part).map(([name, value]) => {
        const meaning = name === 'exp' ? time : (MEANINGS[name] ?? 'a claim that this server adds')
        return [name, typeof value === 'string' ? value : JSON.stringify(value), meaning]
      }),
    )
  }
  show(header)
  terminal.line()
  show(claims)
}

/** Verifies the signature with the server's published key: once unchanged, and once after a change. */
export async function verifyTwice({ terminal, client }: Scene, jws: string): Promise<void> {
  const { sub } = await client.verify(jws)
  terminal.outcome(true, `The signature is valid: the server issued these claims about ${sub}.`)
  const [header = '', payload = '', signature = ''] = jws.split('.')
  const middle = payload.length >> 1
  const [before, after] = [payload[middle] ?? '', payload[middle] === 'A' ? 'B' : 'A']
  const forged = `${payload.slice(0, middle)}${after}${payload.slice(middle + 1)}`
  const refusal = await client.verify([header, forged, signature].join('.')).then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  )
  terminal.outcome(
    refusal === undefined,
    `With character ${middle} of the claims changed from ${before} to ${after}: ${refusal === undefined ? 'accepted, which is a bug' : `refused. ${refusal}`}`,
  )
}

/** Renames the account, and shows the token that was encrypted for that request. */
export async function sealAndReplay(scene: Scene): Promise<void> {
  const { terminal, client, wire } = scene
  let answer = new Response()
  const captured = await wire.overhear(async () => {
    answer = await client.fetch('/account', {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Ada Lovelace' }),
    })
  })
  const { alg, enc, kid, req } = decodeProtectedHeader(captured.token)
  terminal.block([['reset', `${captured.method} ${captured.url}`]])
  terminal.block([['reset', `Authorization: Bearer ${shorten(captured.token, 40)}`]])
  terminal.block([['reset', shorten(captured.body, 150)]])
  if (new Headers(captured.headers).get('content-type') === JOSE) {
    terminal.say('(The body is sealed, too: see "What a proxy reads where TLS ends".)')
  }
  terminal.line()
  const binding = req as Readonly<Record<string, string | number>>
  terminal.table([
    ['alg, enc', `${String(alg)}, ${String(enc)}`, 'how it is encrypted'],
    ['kid', String(kid), "to the server's key"],
    ['req.htm', String(binding['htm']), 'for this method'],
    ['req.htu', String(binding['htu']), 'and for this URL only'],
    ['req.dig', String(binding['dig']), 'and for this body: its SHA-256'],
    ['req.iat', String(binding['iat']), 'for now, within a minute'],
    ['req.jti', String(binding['jti']), 'used once: the server remembers it'],
    ...(binding['mac'] === undefined
      ? []
      : [['req.mac', String(binding['mac']), "proof of the client's private key"] as const]),
  ])
  terminal.line()
  terminal.outcome(answer.ok, `Accepted with ${answer.status}:`)
  terminal.block([['reset', await answer.text()]])

  terminal.step(
    'Somebody sends the same bytes again',
    'An eavesdropper has everything that the server received.',
  )
  showAnswer(scene, 'The same request again', await resend(captured))
}

/** Lets a thief use the opened token at both services, and then its owner. */
export async function stealAndUse(scene: Scene, server: DemoServer, notes: string): Promise<void> {
  const { client } = scene
  const token = await client.accessToken()
  for (const target of [
    { baseUrl: server.url, name: server.issuer, path: '/account' },
    { baseUrl: notes, name: notes, path: '/notes' },
  ]) {
    const what = `GET ${target.path}`
    showAnswer(scene, `${what} by the thief`, await useStolen(token, target, server.enc))
    const { status } = await client.fetch(target.baseUrl + target.path)
    showAnswer(scene, `${what} by this client`, { status, description: '' })
  }
}

/** Shows how the server answered `what`. */
export function showAnswer({ terminal }: Scene, what: string, answer: Answer): void {
  const { status, description } = answer
  const isGood = status < 400
  terminal.outcome(
    isGood,
    isGood ? `${what}: accepted, ${status}.` : `${what}: refused, ${status}: ${description}`,
  )
}
