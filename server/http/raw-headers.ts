import type { IncomingMessage } from 'node:http'

/**
 * Every value of a header. Node silently joins repeated headers or keeps the first, so this looks
 * at the raw headers: names and values in turn.
 *
 * @param name In lower case.
 */
export const headerValues = (rawHeaders: readonly string[], name: string): string[] =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)

/** Whether a header was sent more than once. */
export const isRepeated = ({ rawHeaders }: IncomingMessage, name: string): boolean =>
  headerValues(rawHeaders, name).length > 1
