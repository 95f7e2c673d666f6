import { byId, describe, element, onClick } from '../dom.ts'
import type { Page, Step } from '../page.ts'
import { presentAnswer, presentRequest } from '../present-exchange.ts'
import { sendAgain, type Exchange } from '../wire.ts'

/** Step 6, a sealed request, and the first half of step 7: attempts to use a copy of it. */
export function requestStep(page: Page): Step {
  const exchange = byId('exchange', HTMLElement)
  const theft = byId('theft', HTMLElement)
  const replay = byId('replay', HTMLButtonElement)
  const move = byId('move', HTMLButtonElement)
  const thieves = [replay, move]

  onClick(byId('ask', HTMLButtonElement), exchange, async () => {
    exchange.className = ''
    const response = await page.auth.fetch('/account')
    const opened = await response.text()
    theft.replaceChildren()
    const { captured } = page
    if (captured === undefined) return
    exchange.replaceChildren(...presentRequest(captured), ...presentAnswer(captured, { opened }))
    for (const button of thieves) button.disabled = false
  })

  async function steal(elsewhere: Partial<Exchange>, words: string) {
    const { captured } = page
    if (captured === undefined) return
    const again = await sendAgain({ ...captured, ...elsewhere }).catch((error: unknown) =>
      describe(error),
    )
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
      {},
      'The server has seen the envelope’s name (jti) before, and after a minute the envelope is too old anyway (iat). A copy is worthless.',
    ),
  )
  onClick(move, theft, () =>
    steal(
      { method: 'POST', url: `${page.server}/account/logout` },
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
