import type { IncomingMessage } from 'node:http'

/**
 * Whether a header was sent more than once. Node silently joins repeated headers or keeps the
 * first, so this looks at the raw headers.
 *
 * @param name In lower case.
 */
export function isRepeated({ rawHeaders }: IncomingMessage, name: string): boolean {
  const isName = (text: string, index: number) => index % 2 === 0 && text.toLowerCase() === name
  return rawHeaders.filter(isName).length > 1
}
