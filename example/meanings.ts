import type { Style } from './terminal.ts'

/** The parts of a JWE in compact form (RFC 7516 §3.1). */
export const PARTS: readonly (readonly [style: Style, name: string, meaning: string])[] = [
  ['cyan', 'header', 'anybody can read which key it is for and how it is encrypted'],
  ['yellow', 'encrypted key', 'a key made for this one token, which only the client can unwrap'],
  ['magenta', 'IV', 'a random start for the encryption'],
  ['green', 'ciphertext', 'the signed token, unreadable without that key'],
  ['blue', 'tag', 'proves that no bit of the header or the ciphertext was changed'],
]

/** What each member of the signed token says (RFC 7519 §4.1, RFC 9068). */
export const MEANINGS: Readonly<Record<string, string>> = {
  alg: 'how it is signed',
  kid: "the server's key that signed it",
  typ: 'the kind of token: an access token',
  iss: 'who issued it',
  sub: 'who is signed in',
  aud: 'meant for the client of step 1',
  client_id: 'the same client',
  iat: 'issued at, in seconds since 1970',
  exp: 'expires at, in seconds since 1970',
  jti: 'the unique id of this token',
  sid: 'the session that it belongs to',
  gen: 'how often the password was changed in the session',
  cnf: "the client's key, needed to use it",
  scope: 'what it allows',
}
