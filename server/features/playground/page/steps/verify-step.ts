import { hasCode } from '../../../../../client/index.ts'
import { readPart, writePart } from '../token-parts.ts'
import { byId, describe, say } from '../dom.ts'
import type { Page, Step } from '../page.ts'

/** Step 5: the signature, which detects every change. */
export function verifyStep({ auth }: Page): Step {
  const letter = byId('letter', HTMLTextAreaElement)
  const verdict = byId('verdict', HTMLElement)
  let original = ''

  async function judge() {
    const text = letter.value.trim()
    const [kind, words] = await verdictOn(text)
    // Ignore the verdict if the text has changed during the check.
    if (letter.value.trim() === text) say(verdict, kind, words)
  }

  async function verdictOn(text: string): Promise<['good' | 'refused' | 'bad', string]> {
    try {
      const claims = await auth.verify(text)
      return [
        'good',
        `The signature is valid: the server wrote every character. Scope: “${claims.scope}”.`,
      ]
    } catch (error) {
      if (hasCode(error, 'token_expired'))
        return ['refused', 'The signature is valid, but the token has expired.']
      if (!hasCode(error, 'token_invalid')) return ['bad', describe(error)]
      if (text === original) return ['bad', describe(error)]
      const places = differences(text, original)
      const scope = (readPart(text.split('.')[1]) as { scope?: unknown } | undefined)?.scope
      const claimed =
        typeof scope === 'string'
          ? ` It now claims the scope “${scope}”, but nobody believes it.`
          : ''
      return [
        'refused',
        `Refused: ${places} changed, and the signature no longer matches.${claimed}`,
      ]
    }
  }

  function change(text: string) {
    letter.value = text
    void judge()
  }

  letter.addEventListener('input', () => void judge())
  byId('restore', HTMLButtonElement).addEventListener('click', () => {
    change(original)
  })
  byId('flip', HTMLButtonElement).addEventListener('click', () => {
    const place = Math.floor(letter.value.length / 2)
    const other = letter.value[place] === 'A' ? 'B' : 'A'
    change(letter.value.slice(0, place) + other + letter.value.slice(place + 1))
  })
  byId('promote', HTMLButtonElement).addEventListener('click', () => {
    const [header = '', claims, signature = ''] = original.split('.')
    const promoted = { ...(readPart(claims) as object), scope: 'user admin' }
    change([header, writePart(promoted), signature].join('.'))
  })

  return {
    show({ jws }) {
      const isTouched = letter.value.trim() !== original
      original = jws
      if (!isTouched) change(jws)
    },
    clear() {
      original = letter.value = ''
      say(verdict, '', '')
    },
  }
}

function differences(text: string, original: string): string {
  if (text.length !== original.length) return 'the letter has'
  const count = Array.from(text).filter((character, index) => character !== original[index]).length
  return count === 1 ? 'one character has' : `${count} characters have`
}
