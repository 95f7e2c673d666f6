import { byId, describe, keepFocus, onClick, say } from '../dom.ts'
import { madeUpPerson } from '../made-up.ts'
import type { Page, Step } from '../page.ts'

/** Step 2: sign up, in and out. */
export function signInStep({ auth }: Page): Step {
  const form = byId('form', HTMLFormElement)
  const email = byId('email', HTMLInputElement)
  const password = byId('password', HTMLInputElement)
  const show = byId('show', HTMLInputElement)
  const result = byId('sign-in-result', HTMLElement)
  const buttons = [...form.querySelectorAll('button')]
  /** The last made-up user, whose password the page shows for signing in again. */
  let madeUp: { readonly email: string; readonly password: string } | undefined

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const submitter = event.submitter as HTMLButtonElement | null
    const isSignUp = submitter?.value !== 'sign-in'
    const person = { email: email.value, password: password.value }
    for (const button of buttons) button.disabled = true
    say(result, '', isSignUp ? 'Signing up …' : 'Signing in …')
    const work = isSignUp ? auth.signUp(person) : auth.signIn(person)
    work
      .then(() => {
        say(result, '', '')
        // Clear the form, so that nobody finds the password after a sign-out.
        form.reset()
        password.type = 'password'
        byId('sign-out', HTMLButtonElement).focus()
      })
      .catch((error: unknown) => {
        say(result, 'bad', describe(error))
        result.scrollIntoView({ block: 'nearest' })
      })
      .finally(() => {
        for (const button of buttons) button.disabled = false
        keepFocus(submitter)
      })
  })

  show.addEventListener('change', () => (password.type = show.checked ? 'text' : 'password'))

  byId('make-up', HTMLButtonElement).addEventListener('click', () => {
    madeUp = madeUpPerson()
    email.value = madeUp.email
    password.value = madeUp.password
    show.checked = true
    password.type = 'text'
    say(result, '', 'Made up: this address belongs to nobody.')
  })

  onClick(byId('sign-out', HTMLButtonElement), result, async () => {
    await auth.signOut()
    confirmSignOut()
  })

  return {
    show({ claims }) {
      const email = auth.session?.account?.email ?? claims.sub
      const password =
        madeUp?.email === email
          ? ` To sign in from another window, use the made-up password: ${madeUp.password}.`
          : ''
      byId('who', HTMLElement).textContent =
        `Signed in as ${email}.${password} The server knows this session as ${claims.sid}.`
    },
    clear() {
      if (byId('who', HTMLElement).textContent !== '') madeUp = undefined
      byId('who', HTMLElement).textContent = ''
    },
  }
}

/** Confirms a sign-out, and moves the focus to the sign-in form. */
export function confirmSignOut(): void {
  const text = 'Signed out. The key to the vault is gone.'
  say(byId('sign-in-result', HTMLElement), 'good', text)
  byId('email', HTMLInputElement).focus()
}
