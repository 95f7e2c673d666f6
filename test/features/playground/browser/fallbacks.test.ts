/** Browsers that lack or refuse something. */
/* eslint-disable @typescript-eslint/unbound-method -- methods of the browser are taken to be replaced */
import { expect, test } from '@jest/globals'
import { newProfile, reload } from '../../../browser/support.ts'
import {
  ask,
  button,
  isSignedOut,
  keepNote,
  nothingIsLeft,
  open,
  servePlayground,
  signUp,
  step,
} from './playground-page.ts'

function refuseIndexedDb() {
  IDBFactory.prototype.open = () => {
    throw new DOMException('Not in this window.', 'SecurityError')
  }
}

function failToOpenIndexedDb() {
  IDBFactory.prototype.open = new Proxy(IDBFactory.prototype.open, {
    // An invalid version.
    apply: (open, factory: IDBFactory, [name]: [string]) => open.call(factory, name, -1),
  })
}

function refuseToStoreKeys() {
  IDBObjectStore.prototype.put = new Proxy(IDBObjectStore.prototype.put, {
    apply(put, store: IDBObjectStore, [value, key]: [unknown, string]) {
      if (value instanceof CryptoKey) throw new DOMException('No keys.', 'DataCloneError')
      return put.call(store, value, key)
    },
  })
}

function loseKeys() {
  IDBObjectStore.prototype.put = new Proxy(IDBObjectStore.prototype.put, {
    apply: (put, store: IDBObjectStore, [value, key]: [unknown, string]) =>
      put.call(store, value instanceof CryptoKey ? {} : value, key),
  })
}

test.each([
  ['refuses IndexedDB', refuseIndexedDb, 'SecurityError'],
  ['cannot open IndexedDB', failToOpenIndexedDb, 'TypeError'],
  ['refuses to store a key', refuseToStoreKeys, 'DataCloneError'],
  ['stores a key as something else', loseKeys, 'DataCloneError'],
])('a browser that %s keeps the session until the page is reloaded', async (_, init, reason) => {
  const { url } = await servePlayground()
  const page = await open(url, await newProfile({}, init))
  const warning = `This browser does not keep keys (${reason}). You are signed in until you close or reload this page.`
  await step(page, 'This browser’s key').getByText(warning).waitFor()
  await signUp(page)
  expect(await ask(page)).toContain('200 OK')
  await keepNote(page, 'for now')
  await step(page, 'A note in the vault').getByText(warning).waitFor()
  expect(await page.locator('#disk').textContent()).toBe('')
  await reload(page)
  await page.getByText(warning).waitFor()
  await isSignedOut(page)
})

test('without a secure context the page says what it needs', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile({}, () => {
    Object.defineProperty(globalThis, 'isSecureContext', { get: () => false })
  })
  const page = await open(url, profile, 'Open this page over https')
  expect(await page.getByRole('alert').textContent()).toContain(
    'offer cryptography only to secure pages',
  )
})

test('without usable Web Crypto the page shows the error', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile({}, () => {
    // Not in the initial empty page.
    if (!isSecureContext) return
    SubtleCrypto.prototype.generateKey = (): Promise<never> =>
      Promise.reject(new Error('Out of entropy.'))
  })
  const page = await open(url, profile, 'Out of entropy.')
  await button(page, 'Try again').waitFor()
})

test('a missing element is reported by its id', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile()
  await profile.route(url + '/', async (route) => {
    const response = await route.fetch()
    const body = (await response.text()).replace('id="letter"', 'id="literal"')
    await route.fulfill({ response, body })
  })
  await open(url, profile, 'The page has no #letter.')
})

test('a browser that exports the private key is detected', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile({}, () => {
    if (!isSecureContext) return
    const hole = { kty: 'EC', d: 'AAAA' }
    SubtleCrypto.prototype.exportKey = new Proxy(SubtleCrypto.prototype.exportKey, {
      apply: (exportKey, subtle: SubtleCrypto, [format, key]: ['jwk', CryptoKey]) =>
        key.type === 'private' ? Promise.resolve(hole) : exportKey.call(subtle, format, key),
    })
  })
  const page = await open(url, profile)
  await button(page, 'Try to read the private key').click()
  await page.getByText('The browser has handed out the private key.').waitFor()
})

test('a rejection without an Error is reported too', async () => {
  const { url } = await servePlayground()
  const profile = await newProfile({}, () => {
    if (!isSecureContext) return
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what is tested
    SubtleCrypto.prototype.generateKey = (): Promise<never> => Promise.reject('no')
  })
  await open(url, profile, 'Something went wrong.')
})

test.each([
  ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox'],
  ['Mozilla/5.0 AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0', 'Edge'],
  ['Something else', 'a browser'],
])('the client is named after the browser: %s', async (userAgent, name) => {
  const { url } = await servePlayground()
  const page = await open(url, await newProfile({ userAgent }))
  await signUp(page)
  await page.getByText(`Playground in ${name} (this one)`).waitFor()
})

test("clearing the site's data signs out", async () => {
  const { url } = await servePlayground()
  const page = await open(url)
  const email = await signUp(page)
  await keepNote(page, 'cleared')
  const browser = await page.context().newCDPSession(page)
  await browser.send('Storage.clearDataForOrigin', { origin: url, storageTypes: 'indexeddb' })
  await reload(page)
  await page.getByText('Its name, the thumbprint').waitFor()
  await isSignedOut(page)
  await nothingIsLeft(page, email, 'cleared')
})
