import { hasCode, type SessionEntry } from '../../../../../client/index.ts'
import { byId, element, onClick, say } from '../dom.ts'
import type { Page, Step } from '../page.ts'
import { confirmSignOut } from './sign-in-step.ts'

/** Step 10: the account's sessions, each with a button to end it. */
export function sessionsStep({ auth }: Page): Step {
  const list = byId('session-list', HTMLElement)
  const result = byId('sessions-result', HTMLElement)

  async function refresh() {
    const sessions = await auth.account.sessions().catch(noneIfMissing)
    // The user may have signed out in the meantime.
    if (auth.session === undefined) return
    list.replaceChildren(...sessions.map(present))
  }

  /** The routes are a feature's, which the server may not have. */
  function noneIfMissing(error: unknown): SessionEntry[] {
    if (!hasCode(error, 'not_found')) throw error
    say(result, '', 'This server does not list sessions.')
    return []
  }

  function present(session: SessionEntry): HTMLElement {
    const end = element('button', { type: 'button' }, 'End it')
    const name = session.client_name ?? 'A browser without a name'
    end.setAttribute('aria-label', `End it: the session of ${name}, ${session.session_id}`)
    onClick(end, result, async () => {
      await auth.account.endSession(session.session_id)
      say(result, 'good', 'Ended. Its tokens are refused from now on, and its vault has no key.')
      // If it was this page's own session, `resume` finds out, and the page returns to step 2.
      await auth.resume()
      if (auth.session === undefined) confirmSignOut()
      else await refresh()
    })
    return element(
      'li',
      {},
      element(
        'p',
        {},
        element('b', {}, name),
        // A separate element, because the account's owner chose the name.
        session.current ? element('em', {}, ' (this one)') : '',
        element('br'),
        element(
          'small',
          {},
          `signed in ${inWords(session.created_at)}, last seen ${inWords(session.last_used_at)}`,
        ),
      ),
      end,
    )
  }

  onClick(byId('list', HTMLButtonElement), result, async () => {
    say(result, '', '')
    await refresh()
  })
  onClick(byId('end-others', HTMLButtonElement), result, async () => {
    await auth.account.endOtherSessions()
    await refresh()
    say(result, 'good', 'This is the only session now.')
  })
  onClick(byId('leave', HTMLButtonElement), result, async () => {
    await auth.signOut()
    confirmSignOut()
  })

  return {
    show: refresh,
    clear() {
      list.replaceChildren()
      say(result, '', '')
    },
  }
}

const inWords = (time: string): string => new Date(time).toLocaleString()
