/** Helpers for the page's document. Text is always set as text, so it cannot become markup. */

export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id)
  if (found instanceof type) return found
  throw new Error(`The page has no #${id}.`)
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** Shows the outcome of an action, in a matching colour. */
export function say(
  target: HTMLElement,
  kind: 'good' | 'refused' | 'bad' | '',
  text: string,
): void {
  target.className = `result ${kind}`
  target.textContent = text
}

/** Shows a compact token, with each part in its own colour. */
export function showParts(
  target: HTMLElement,
  parts: readonly string[],
  colours: readonly number[],
) {
  target.replaceChildren(
    ...parts.flatMap((part, index) => {
      const coloured = element('span', { class: `part-${colours[index] ?? 1}` }, part)
      return index === 0 ? [coloured] : ['.', coloured]
    }),
  )
}

/** Runs `work` on a click, one click at a time, and shows any error. */
export function onClick(
  button: HTMLButtonElement,
  result: HTMLElement,
  work: () => Promise<void>,
): void {
  button.addEventListener('click', () => {
    button.disabled = true
    work()
      .catch((error: unknown) => {
        say(result, 'bad', describe(error))
      })
      .finally(() => {
        button.disabled = false
        keepFocus(button)
      })
  })
}

/** Gives a button the focus again, which the browser may have taken away while it was disabled. */
export function keepFocus(button: HTMLButtonElement | null): void {
  if (document.activeElement === document.body) button?.focus({ preventScroll: true })
}

/** Describes an error for a person, with its code for looking it up. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'Something went wrong.'
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''
  // The server's descriptions begin with the name of a member, such as `password`. Others begin with
  // a URL, which stays as it is.
  return error.message.replace(/^[a-z](?=\w* )/, (first) => first.toUpperCase()) + code
}
