import { byId, element, showParts } from '../dom.ts'
import type { Page, Step } from '../page.ts'

const MEANING: Readonly<Record<string, string>> = {
  alg: 'How it was signed.',
  kid: 'Which of the server’s keys signed it, by its thumbprint.',
  typ: 'The kind of token: an access token. No other kind can pass for one.',
  iss: 'Who wrote it: this server.',
  sub: 'Who it is about: your account.',
  aud: 'Whom it is for: this browser, by the thumbprint of step 1.',
  client_id: 'Who asked for it: the same browser.',
  iat: 'When it was written.',
  exp: 'When it expires. The refresh token then fetches a new one.',
  jti: 'The unique name of this token.',
  sid: 'The session. When it ends, the token is dead at once.',
  cnf: 'Your key, of step 1. Whoever sends the letter must prove that they hold its private half.',
  gen: 'How often the password was changed in this session. Older tokens are dead.',
  scope: 'What it lets you do.',
}

/** Step 4: the JWS, with its header and claims explained, and a countdown to its expiry. */
export function jwsStep({ auth }: Page): Step {
  const text = byId('jws-text', HTMLElement)
  const rows = byId('claims', HTMLElement)
  const countdown = byId('countdown', HTMLElement)
  let wasAlive = false

  setInterval(tick, 1000)
  function tick() {
    const { session } = auth
    if (session === undefined) return
    const left = Math.ceil((session.expiresAt - Date.now()) / 1000)
    countdown.textContent =
      left > 0
        ? `Expires in ${Math.floor(left / 60)} min ${String(left % 60).padStart(2, '0')} s`
        : 'Expired. The next request fetches a new one.'
    // If the token expires while somebody is watching, show what happens.
    const hasExpired = wasAlive && left <= 0
    wasAlive = left > 0
    if (hasExpired && document.visibilityState === 'visible') auth.refresh().catch(() => undefined)
  }

  return {
    show(token) {
      wasAlive = false
      showParts(text, token.jws.split('.'), [1, 4, 5])
      rows.replaceChildren(
        ...Object.entries({ ...token.header, ...token.claims }).map(([name, value]) =>
          element(
            'tr',
            {},
            element('th', { scope: 'row' }, element('code', {}, name)),
            element('td', { class: 'value' }, inWords(name, value)),
            element('td', {}, MEANING[name] ?? ''),
          ),
        ),
      )
      tick()
    },
    clear() {
      countdown.textContent = ''
      text.replaceChildren()
      rows.replaceChildren()
    },
  }
}

function inWords(name: string, value: unknown): string {
  if ((name === 'iat' || name === 'exp') && typeof value === 'number') {
    return `${value} (${new Date(value * 1000).toLocaleTimeString()})`
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}
