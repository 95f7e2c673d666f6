import type { ClientKey } from '../../../../../client/index.ts'
import { byId, element, onClick, say } from '../dom.ts'
import type { Page } from '../page.ts'

/** Step 1: the key that never leaves the browser. */
export async function keyStep({ auth, storeWarning }: Page): Promise<void> {
  const key = await auth.register()
  const kept =
    storeWarning ?? 'in this browser’s IndexedDB, marked as not extractable. It survives a reload.'
  byId('key-facts', HTMLElement).replaceChildren(
    ...fact('Its name, the thumbprint of the public half (RFC 7638)', element('code', {}, key.id)),
    ...fact('Its type', [key.publicJwk.kty, key.publicJwk.crv].filter(Boolean).join(', ')),
    ...fact('The private half is kept', kept),
    ...fact('The server’s name for this browser', 'the same thumbprint, as client_id'),
  )
  const result = byId('export-result', HTMLElement)
  onClick(byId('export', HTMLButtonElement), result, async () => {
    say(result, 'refused', await tryToExport(key))
  })
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
