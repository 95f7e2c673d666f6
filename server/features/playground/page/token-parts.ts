import { base64url } from 'jose'

/** The JSON in a part of a token, for display; `undefined` if it is not JSON. */
export function readPart(part: string | undefined): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(base64url.decode(part ?? '')))
    return value
  } catch {
    return undefined
  }
}

/** Encodes JSON as a part of a token. */
export const writePart = (value: unknown): string => base64url.encode(JSON.stringify(value))

export const pretty = (value: unknown): string => JSON.stringify(value, null, 2)

/** Bytes as text, for display. */
export const toText = (bytes: Uint8Array): string => base64url.encode(bytes)

/** The start of a long text. */
export const shorten = (text: string, length = 40): string =>
  text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`
