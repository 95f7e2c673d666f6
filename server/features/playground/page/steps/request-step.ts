import { pretty, readPart, shorten } from '../token-parts.ts'
import { byId, describe, element, onClick } from '../dom.ts'
import type { Page, Step } from '../page.ts'
import { sendAgain, tokenOf, type Exchange } from '../wire.ts'

/** Steps 6 and 7: a sealed request, and attempts to use a copy of it. */
export function requestStep(page: Page): Step {
  const exchange = byId('exchange', HTMLElement)
  const theft = byId('theft', HTMLElement)
  const replay = byId('replay', HTMLButtonElement)
  const move = byId('move', HTMLButtonElement)
  const thieves = [replay, move]

  onClick(byId('ask', HTMLButtonElement), exchange, async () => {
    exchange.className = ''
    await page.auth.fetch('/account')
    theft.replaceChildren()
    const { captured } = page
    if (captured === undefined) return
    exchange.replaceChildren(...presentRequest(captured), ...presentAnswer(captured))
    for (const button of thieves) button.disabled = false
  })

  async function steal(url: string | undefined, words: string) {
    const { captured } = page
    if (captured === undefined) return
    const again = await sendAgain(captured, url).catch((error: unknown) => describe(error))
    if (typeof again === 'string') {
      theft.replaceChildren(element('p', { class: 'bad' }, again))
      return
    }
    const isRefused = again.status === 401
    theft.replaceChildren(
      element('h3', {}, `${again.method} ${new URL(again.url).pathname}, with the recorded token`),
      ...presentAnswer(again),
      element(
        'p',
        { class: isRefused ? 'refused' : 'bad' },
        isRefused ? `Refused. ${words}` : 'It was not refused. That should not happen.',
      ),
    )
  }

  onClick(replay, theft, () =>
    steal(
      undefined,
      'The server has seen the envelope’s name (jti) before, and after a minute the envelope is too old anyway (iat). A copy is worthless.',
    ),
  )
  onClick(move, theft, () =>
    steal(
      `${page.server}/account/sessions`,
      'The envelope names the request that it is for (htm, htu), and this is a different one.',
    ),
  )

  return {
    show: () => undefined,
    clear() {
      page.captured = undefined
      exchange.replaceChildren()
      theft.replaceChildren()
      for (const button of thieves) button.disabled = true
    },
  }
}

function presentRequest(request: Exchange): Node[] {
  const token = tokenOf(request)
  const { pathname } = new URL(request.url)
  return [
    element('h3', {}, 'What was sent'),
    element(
      'pre',
      {},
      `${request.method} ${pathname}\nAuthorization: Bearer ${shorten(token, 60)}`,
    ),
    element('p', {}, 'On the envelope, for the server to check:'),
    element('pre', {}, pretty(readPart(token.split('.')[0]))),
    element(
      'p',
      { class: 'soft' },
      'req describes the one request that the envelope is for: a unique name (jti), the time (iat), the method (htm) and the address (htu).',
    ),
  ]
}

function presentAnswer({ status, answerHeaders, answer }: Exchange): Node[] {
  const challenge = answerHeaders.get('WWW-Authenticate')
  const lines = [
    `${status} ${status === 200 ? 'OK' : status === 401 ? 'Unauthorized' : ''}`.trim(),
    ...(challenge === null ? [] : [`WWW-Authenticate: ${challenge}`]),
    pretty(withoutKey(answer)),
  ]
  return [element('h3', {}, 'What the server answered'), element('pre', {}, lines.join('\n'))]
}

/** The answer without the database key, which somebody looking over your shoulder must not see. */
function withoutKey(answer: string): unknown {
  const body = JSON.parse(answer) as Record<string, unknown>
  if (typeof body['database_key'] !== 'string') return body
  return { ...body, database_key: '(not shown: the key of step 8)' }
}
