/** An invented person, with a password for the first sign-in. */
export const madeUpPerson = () => ({
  email: `${pick(FIRST)}.${pick(LAST)}.${randomDigits()}@mail.test`,
  password: `${pick(FIRST)} ${pick(LAST)} ${pick(FIRST)} ${randomDigits()}`,
})

const FIRST = ['ada', 'grace', 'alan', 'edsger', 'barbara', 'donald', 'radia', 'whitfield']
const LAST = ['lovelace', 'hopper', 'turing', 'dijkstra', 'liskov', 'knuth', 'perlman', 'diffie']
const random = () => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
const pick = (words: readonly string[]): string => words[random() % words.length] ?? ''
const randomDigits = () => String(random() % 10_000).padStart(4, '0')
