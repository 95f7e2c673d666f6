import { hasCode } from '../../../../../client/index.ts'
import { byId, element, onClick } from '../dom.ts'
import { NOTES, type Page, type Step } from '../page.ts'
import { presentAnswer, statusInWords } from '../present-exchange.ts'
import { useStolen, type Target } from '../thief.ts'

/** Step 7, second half: the opened token, used by somebody without this browser's key. */
export function stolenStep({ auth, server, issuer, enc }: Page): Step {
  const result = byId('stolen', HTMLElement)

  async function steal(target: Target, who: string) {
    result.className = ''
    result.replaceChildren()
    const own = await auth.fetch(target.baseUrl + target.path)
    const theft = await useStolen(await auth.accessToken(), enc, target)
    const isRefused = theft.status === 401
    const isBound = auth.session?.claims.cnf !== undefined
    result.replaceChildren(
      element(
        'p',
        { class: own.ok ? 'good' : 'bad' },
        `You, with the key of step 1: ${statusInWords(own.status)}.`,
      ),
      element('h3', {}, `The thief: GET ${target.path}, with your letter and another key`),
      ...presentAnswer(theft, { who }),
      element('p', { class: isRefused ? 'refused' : 'bad' }, verdict(isRefused, isBound)),
    )
  }

  onClick(byId('steal', HTMLButtonElement), result, () =>
    steal({ baseUrl: server, name: issuer, path: '/account' }, 'the server'),
  )
  onClick(byId('steal-notes', HTMLButtonElement), result, () =>
    steal({ baseUrl: NOTES, name: NOTES, path: '/notes' }, 'the notes service').catch(
      (error: unknown) => {
        if (!hasCode(error, 'network')) throw error
        throw new Error(`Nothing answers at ${NOTES}. Start the notes service: npm run example`)
      },
    ),
  )

  return {
    show: () => undefined,
    clear() {
      result.replaceChildren()
    },
  }
}

function verdict(isRefused: boolean, isBound: boolean): string {
  if (!isBound) {
    return 'This session’s tokens are not bound to your key, so whoever has the letter can use it until it expires.'
  }
  return isRefused
    ? 'Refused. The letter names your key (cnf), and the proof on the envelope (mac) was made with another one.'
    : 'It was not refused. That should not happen.'
}
