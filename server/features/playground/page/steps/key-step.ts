import type { ClientKey } from '../../../../../client/index.ts'
import { byId, element, onClick, say } from '../dom.ts'
import type { Page, Step } from '../page.ts'

/** Step 1: the key that never leaves the browser. */
export async function keyStep({ auth, store }: Page): Promise<Step> {
  const facts = byId('key-facts', HTMLElement)
  const result = byId('export-result', HTMLElement)
  const kept =
    store.warning ?? 'in this browser’s IndexedDB, marked as not extractable. It survives a reload.'
  let key = (await store.loadKey()) ?? (await auth.register())

  function present({ id, publicJwk: { kty, crv } }: ClientKey) {
    facts.replaceChildren(
      ...fact('Its name, the thumbprint of the public half (RFC 7638)', element('code', {}, id)),
      ...fact('Its type', [kty, crv].filter(Boolean).join(', ')),
      ...fact('The private half is kept', kept),
      ...fact('The server’s name for this browser', 'the same thumbprint, as client_id'),
    )
  }

  present(key)
  onClick(byId('export', HTMLButtonElement), result, async () => {
    say(result, 'refused', await tryToExport(key))
  })
  return {
    async show() {
      // Signing in may have made a new one.
      key = (await store.loadKey()) ?? key
      present(key)
    },
    clear: () => undefined,
  }
}

const fact = (name: string, value: Node | string) => [
  element('dt', {}, name),
  element('dd', {}, value),
]

/** Asks the browser for the private key, in every format that it supports. */
async function tryToExport({ privateKey }: ClientKey): Promise<string> {
  const tries = await Promise.allSettled<unknown>([
    crypto.subtle.exportKey('jwk', privateKey),
    crypto.subtle.exportKey('pkcs8', privateKey),
  ])
  const refusals = tries.flatMap((each) =>
    each.status === 'rejected' ? [String(each.reason)] : [],
  )
  if (refusals.length < tries.length) {
    throw new Error('The browser has handed out the private key.')
  }
  return `Refused by the browser, as it should be. ${refusals.at(-1)}`
}
