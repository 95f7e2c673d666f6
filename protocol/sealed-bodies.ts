/** The media type of sealed bodies and answers (RFC 7515 §9.2.1). */
export const JOSE = 'application/jose'

/** The `typ` of a sealed answer: no token passes for an answer, and no answer for a token (RFC 8725 §3.11). */
export const ANSWER_TYPE = 'answer+jwt'
