// The subjects of our own server, including those with many clients and accounts.
import { httpRequest } from './seal.js'
import { accountRequests, keepRefreshToken, refreshRequest, startOurServer } from './our-server.js'

/**
 * @param start Starts the server for this number of connections, or returns the running one.
 * @param prepare Makes the requests for `drive`: see drive.js.
 */
export const ourSubject = (name, start, prepare) => ({
  name,
  isOurs: true,
  start: async ({ connections }) => {
    const server = await start(connections)
    return { ...server, prepare: (count) => prepare(server, count) }
  },
})

/**
 * Makes the `count` requests that a round needs, before it begins. Key agreements are kept between
 * rounds.
 *
 * @param options.clients How many of the people send requests; all by default.
 */
export function account({ clients, ...options }) {
  let next
  return (server, count) => {
    const people = server.people.slice(0, clients)
    next ??= accountRequests({ ...server, people }, options)
    const requests = Array.from({ length: count }, next)
    return { next: () => requests.pop() }
  }
}

export function healthz({ url }) {
  const bytes = httpRequest(url, 'GET', '/healthz')
  return { next: () => bytes }
}

/** Each connection uses the refresh tokens of one person. */
export const refresh = ({ url, people }) => ({
  next: (connection) => refreshRequest(url, people[connection]),
  took: (connection, body) => keepRefreshToken(people[connection], body),
})

const CLIENTS = 1000
const OTHERS = 20_000
let [small, large] = []
const startSmall = async () => (small ??= await startOurServer(CLIENTS))
const startLarge = async (connections) =>
  (large ??= await startOurServer(connections, { others: OTHERS }))

/** For `--scale`. */
export const SCALE_SUBJECTS = [
  ourSubject('GET /account, one client', startSmall, account({ bound: true, clients: 1 })),
  ourSubject('GET /account, 1,000 clients in turn', startSmall, account({ bound: true })),
  ourSubject('GET /account, 20,000 accounts', startLarge, account({ bound: true, clients: 1 })),
  ourSubject('POST /token, few accounts', startSmall, refresh),
  ourSubject('POST /token, 20,000 accounts', startLarge, refresh),
]

/** For `--with`: a server without, and one with these variables, such as `METRICS_PORT=9464`. */
export function variantSubjects(assignment) {
  const [name, value] = assignment.split('=')
  const sides = [
    ['', {}],
    [`, ${assignment}`, { [name]: value }],
  ]
  return sides.flatMap(([suffix, variables]) => {
    let server
    const start = async (connections) =>
      (server ??= await startOurServer(connections, { variables }))
    return [
      ourSubject(`GET /healthz${suffix}`, start, healthz),
      ourSubject(`GET /account, bound${suffix}`, start, account({ bound: true })),
    ]
  })
}
