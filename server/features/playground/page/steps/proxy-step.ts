import { memoryStore } from '../../../../../client/index.ts'
import { byId, element, onClick } from '../dom.ts'
import type { Page, Step } from '../page.ts'
import { contains, textOf, watchSignUp, type SignUpSeen } from '../proxy.ts'

/** Step 8: what a proxy reads of a sign-up, plain and sealed. */
export function proxyStep({ server, issuer, offersSealing }: Page): Step {
  const result = byId('seen', HTMLElement)
  const plain = { server, issuer, store: memoryStore(), sealedBodies: 'never' } as const
  const sealed = { ...plain, store: memoryStore(), sealedBodies: 'required' } as const

  onClick(byId('watch', HTMLButtonElement), result, async () => {
    result.className = ''
    result.replaceChildren()
    const sides = [present('Plain JSON', await watchSignUp(plain))]
    if (offersSealing) sides.push(present('Sealed', await watchSignUp(sealed)))
    result.replaceChildren(
      element('div', { class: 'sides' }, ...sides),
      element(
        'p',
        { class: 'soft' },
        offersSealing
          ? 'Either way, the proxy sees which browser sends which request and when, the status, and the length of everything. A proxy that rewrites traffic can do more: it can replace the server’s keys or the script of this page.'
          : 'This server does not offer sealed bodies.',
      ),
    )
  })

  return {
    show: () => undefined,
    clear() {
      result.replaceChildren()
    },
  }
}

/** One sign-up, with what can be read in it marked. */
function present(title: string, seen: SignUpSeen): HTMLElement {
  const { exchange, email, password, databaseKey } = seen
  const secrets = [
    { name: 'the address', text: email },
    { name: 'the password', text: password },
    ...(databaseKey === undefined ? [] : [{ name: 'the key to the vault', text: databaseKey }]),
  ]
  const read = secrets.filter(({ text }) => contains(exchange, text))
  const { request, answer } = textOf(exchange)
  const wire = (label: string, text: string) =>
    element(
      'div',
      { class: 'token wire', role: 'region', tabindex: '0', 'aria-label': `${title}: ${label}` },
      ...marked(
        text,
        read.map((secret) => secret.text),
      ),
    )
  const names = new Intl.ListFormat('en').format(
    (read.length > 0 ? read : secrets).map(({ name }) => name),
  )
  return element(
    'div',
    {},
    element('h3', {}, title),
    element('p', {}, 'Sent:'),
    wire('the request', request),
    element('p', {}, 'Answered:'),
    wire('the answer', answer),
    read.length > 0
      ? element('p', { class: 'bad' }, `The proxy has read ${names}.`)
      : element('p', { class: 'good' }, `The proxy has read nothing of this: ${names}.`),
  )
}

/** A text in which every occurrence of some others is marked. */
function marked(text: string, others: readonly string[]): (Node | string)[] {
  const [first, ...rest] = others
  if (first === undefined) return [text]
  return text
    .split(first)
    .flatMap((part, i) => [...(i === 0 ? [] : [element('mark', {}, first)]), ...marked(part, rest)])
}
