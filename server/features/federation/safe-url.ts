const THIS_MACHINE = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * Whether keys from a URL can be trusted: https, or http on this machine, without credentials. With
 * plain http, anybody in between could replace the keys in the answer.
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
