/** The playground: the whole idea on one page. Everything that it shows is computed here. */
import { AuthClient, browserStore, hasCode } from '../../../../client/index.ts'
import { byId, describe, element } from './dom.ts'
import type { Page, Step } from './page.ts'
import { jweStep } from './steps/jwe-step.ts'
import { jwsStep } from './steps/jws-step.ts'
import { keyStep } from './steps/key-step.ts'
import { requestStep } from './steps/request-step.ts'
import { sessionsStep } from './steps/sessions-step.ts'
import { signInStep } from './steps/sign-in-step.ts'
import { vaultStep } from './steps/vault-step.ts'
import { verifyStep } from './steps/verify-step.ts'
import { record, tokenOf } from './wire.ts'

const problem = byId('problem', HTMLElement)

start().catch(report)

async function start(): Promise<void> {
  if (!isSecureContext) {
    throw new Error(
      'A browser lends its cryptography to secure pages only. Open this one over https, or as http://localhost on the server’s own machine.',
    )
  }
  const server = new URL('.', location.href).href.replace(/\/$/, '')
  const store = await browserStore()
  const page: Page = {
    server,
    storeWarning: store.warning,
    captured: undefined,
    auth: new AuthClient({
      server,
      issuer: await issuerOf(server),
      store,
      clientName: `Playground in ${browserName()}`,
      async fetch(request) {
        const [response, exchange] = await record(request)
        if (tokenOf(exchange) !== '') page.captured = exchange
        return response
      },
    }),
  }
  const { auth } = page
  const steps = [
    ...[signInStep(page), jweStep(), jwsStep(page), verifyStep(page)],
    ...[requestStep(page), vaultStep(page), sessionsStep(page)],
  ]
  const render = renderer(page, steps)
  auth.onChange(() => void render())
  await keyStep(page)
  // Somebody who is still signed in is shown by onChange.
  if ((await auth.resume()) === undefined) await render()
  // Back in this tab: the session may have been ended elsewhere. Asked as the one whom the page shows:
  // it never turns into another person by itself.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden' || auth.session === undefined) return
    auth.account.read().catch(reportUnlessEnded)
  })
}

/** Shows the page as it is for whoever is signed in now, or for nobody. */
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
        // It took a moment, in which they may have gone.
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
      // It was about somebody who has gone; another one may be here.
      for (const step of steps) step.clear()
      await render()
    }
  }
}

/** Links in the navigation lead only to what is there. */
function linkSteps(areShown: boolean): void {
  for (const step of document.querySelectorAll('#steps > section')) {
    const link = byId(`to-${step.id}`, HTMLAnchorElement)
    if (areShown) link.href = `#${step.id}`
    else link.removeAttribute('href')
  }
}

/** The name that the server has for itself; the page came from the same place, so it is to be believed. */
async function issuerOf(server: string): Promise<string> {
  const url = `${server}/.well-known/oauth-authorization-server`
  const response = await fetch(url).catch(() => {
    throw new Error('The server cannot be reached.')
  })
  const { issuer } = (await response.json()) as { issuer: string }
  return issuer
}

/** A session that has ended is no problem: the page shows that already. */
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
  // In this order: each also says the names of those that follow.
  const name = ['Edg', 'Firefox', 'Chrome', 'Safari'].find((name) => userAgent.includes(name))
  return name?.replace('Edg', 'Edge') ?? 'a browser'
}
