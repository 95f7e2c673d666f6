/** RFC 6749 §3.3: words of printable ASCII without `"` and `\`, separated by single spaces. */
const SCOPE = /^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$/

/** Whether a text that the operator gives is a scope. */
export const isScope = (text: string): boolean => SCOPE.test(text)
