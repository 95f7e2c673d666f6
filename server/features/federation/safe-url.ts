const THIS_MACHINE = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * Whether keys that come from a URL can be believed: https, or this machine, without credentials.
 * Plain http would let anybody in between put keys of their own into the answer.
 */
export function isSafeUrl(text: string): boolean {
  // `new URL` drops line breaks and trims spaces: check the characters first.
  if (!/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  if (username !== '' || password !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && isOnThisMachine(text))
}

/** Whether a URL's host is this machine. */
export const isOnThisMachine = (url: string): boolean => THIS_MACHINE.test(new URL(url).hostname)
