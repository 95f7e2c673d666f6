import { pretty, readPart } from '../token-parts.ts'
import { byId, element, showParts } from '../dom.ts'
import type { Step } from '../page.ts'

/** RFC 7516 §7.1, in its order. */
const PARTS = [
  [
    'Protected header',
    'Readable by everybody: the algorithms, the name of the key that opens the envelope (kid), and the public half of a key pair made only for it (epk).',
  ],
  ['Encrypted key', 'A fresh key for this envelope only, locked with the padlock of step 1.'],
  ['Initialization vector', 'Random, so that the same letter never looks the same twice.'],
  ['Ciphertext', 'The letter itself, encrypted with that fresh key.'],
  ['Authentication tag', 'The seal: it breaks if anything changes, including the header.'],
] as const

/** Step 3: the JWE and its five parts. */
export function jweStep(): Step {
  const text = byId('jwe-text', HTMLElement)
  const list = byId('jwe-parts', HTMLElement)
  return {
    show({ jwe }) {
      const parts = jwe.split('.')
      showParts(text, parts, [1, 2, 3, 4, 5])
      list.replaceChildren(
        ...PARTS.map(([name, meaning], index) => {
          const part = parts[index] ?? ''
          const size = part === '' ? 'empty' : `${part.length} characters`
          const label = element('b', { class: `part-${index + 1}` }, name)
          const item = element('li', {}, label, ` (${size}). ${meaning}`)
          if (index === 0) item.append(element('pre', {}, pretty(readPart(part))))
          return item
        }),
      )
    },
    clear() {
      text.replaceChildren()
      list.replaceChildren()
    },
  }
}
