/**
 * Header parameters that are refused on both layers of a token, because each lets the sender supply a
 * key, a cost or an extension.
 */
export const REFUSED_PARAMETERS: readonly string[] =
  'zip crit b64 jku jwk x5u x5c x5t x5t#S256 p2c p2s iv tag'.split(' ')
