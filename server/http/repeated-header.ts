import type { IncomingMessage } from 'node:http'

/**
 * Whether a header comes more than once. Node keeps the first of several without a word, where it
 * does not join them: only the raw ones tell.
 *
 * @param name In lower case.
 */
export function isRepeated({ rawHeaders }: IncomingMessage, name: string): boolean {
  const isName = (text: string, index: number) => index % 2 === 0 && text.toLowerCase() === name
  return rawHeaders.filter(isName).length > 1
}
