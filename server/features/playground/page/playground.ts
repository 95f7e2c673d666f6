/** The playground: a page that runs and shows each step of the protocol. */
import { AuthClient, browserStore, hasCode } from '../../../../client/index.ts'
import type { EncryptionEnc } from '../../../../protocol/algorithms.ts'
import { byId, describe, element } from './dom.ts'
import { NOTES, type Page, type Step } from './page.ts'
import { jweStep } from './steps/jwe-step.ts'
import { jwsStep } from './steps/jws-step.ts'
import { keyStep } from './steps/key-step.ts'
import { proxyStep } from './steps/proxy-step.ts'
import { requestStep } from './steps/request-step.ts'
import { sessionsStep } from './steps/sessions-step.ts'
import { signInStep } from './steps/sign-in-step.ts'
import { stolenStep } from './steps/stolen-step.ts'
import { vaultStep } from './steps/vault-step.ts'
import { verifyStep } from './steps/verify-step.ts'
import { record, tokenOf } from './wire.ts'

const problem = byId('problem', HTMLElement)

start().catch(report)

async function start(): Promise<void> {
  if (!isSecureContext) {
    throw new Error(
      'Browsers offer cryptography only to secure pages. Open this page over https, or as http://localhost on the server’s own machine.',
    )
  }
  const server = new URL('.', location.href).href.replace(/\/$/, '')
  const store = await browserStore()
  const { issuer, enc, offersSealing } = await metadataOf(server)
  const page: Page = {
    server,
    issuer,
    enc,
    store,
    offersSealing,
    captured: undefined,
    auth: new AuthClient({
      server,
      issuer,
      store,
      services: [NOTES],
      clientName: `Playground in ${browserName()}`,
      async fetch(request) {
        const [response, exchange] = await record(request)
        const isToServer = exchange.url.startsWith(`${server}/`)
        if (isToServer && tokenOf(exchange) !== '') page.captured = exchange
        return response
      },
    }),
  }
  const { auth } = page
  const steps = [
    await keyStep(page),
    signInStep(page),
    jweStep(),
    jwsStep(page),
    verifyStep(page),
    requestStep(page),
    stolenStep(page),
    proxyStep(page),
    vaultStep(page),
    sessionsStep(page),
  ]
  const render = renderer(page, steps)
  auth.onChange(() => void render())
  // If somebody is still signed in, onChange renders the page.
  if ((await auth.resume()) === undefined) await render()
  // Back in this tab, check whether the session has ended elsewhere. This asks about the user whom the
  // page shows, so that the page never switches to another user by itself.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden' || auth.session === undefined) return
    auth.account.read().catch(reportUnlessEnded)
  })
}

/** Renders the page for the user who is signed in now, if any. */
function renderer({ auth }: Page, steps: readonly Step[]): () => Promise<void> {
  return async function render() {
    const { session } = auth
    const isSignedIn = session?.account !== undefined
    byId('signed-out', HTMLElement).hidden = isSignedIn
    byId('signed-in', HTMLElement).hidden = !isSignedIn
    byId('locked', HTMLElement).hidden = isSignedIn
    byId('steps', HTMLElement).hidden = !isSignedIn
    linkSteps(isSignedIn)
    problem.replaceChildren()
    try {
      if (!isSignedIn) {
        for (const step of steps) step.clear()
        return
      }
      const token = await auth.accessToken()
      for (const step of steps) {
        await step.show(token)
        // The user may have signed out in the meantime.
        if (auth.session?.sessionId === token.claims.sid) continue
        step.clear()
        await render()
        return
      }
    } catch (error) {
      if (auth.session?.sessionId === session?.sessionId) {
        reportUnlessEnded(error)
        return
      }
      // The error is about a user who has left. Another user may be signed in now.
      for (const step of steps) step.clear()
      await render()
    }
  }
}

/** Links the navigation only to steps that are shown. */
function linkSteps(areShown: boolean): void {
  for (const step of document.querySelectorAll('#steps > section')) {
    const link = byId(`to-${step.id}`, HTMLAnchorElement)
    if (areShown) link.href = `#${step.id}`
    else link.removeAttribute('href')
  }
}

/** What the server says of itself. Trusted because the page itself came from the same server. */
async function metadataOf(server: string): Promise<Pick<Page, 'issuer' | 'enc' | 'offersSealing'>> {
  const url = `${server}/.well-known/oauth-authorization-server`
  const response = await fetch(url).catch(() => {
    throw new Error('The server cannot be reached.')
  })
  const metadata = (await response.json()) as {
    readonly issuer: string
    readonly access_token_encryption_enc_values_supported: readonly [EncryptionEnc]
    readonly sealed_bodies?: string
  }
  const [enc] = metadata.access_token_encryption_enc_values_supported
  return { issuer: metadata.issuer, enc, offersSealing: metadata.sealed_bodies !== undefined }
}

/** Reports an error, except that the session has ended, which the page already shows. */
function reportUnlessEnded(error: unknown): void {
  if (!hasCode(error, 'session_ended') && !hasCode(error, 'not_signed_in')) report(error)
}

function report(error: unknown): void {
  const again = element('button', { type: 'button' }, 'Try again')
  again.addEventListener('click', () => {
    location.reload()
  })
  problem.replaceChildren(
    element('p', { class: 'problem' }, describe(error)),
    element('div', { class: 'actions' }, again),
  )
}

function browserName(): string {
  const { userAgent } = navigator
  // The order matters, because each browser also names those that follow.
  const name = ['Edg', 'Firefox', 'Chrome', 'Safari'].find((name) => userAgent.includes(name))
  return name?.replace('Edg', 'Edge') ?? 'a browser'
}
