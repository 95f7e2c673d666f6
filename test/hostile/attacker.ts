/** A signed-in attacker that sends one route everything: its valid bodies, and every member that it reads. */
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../support/client.ts'
import { exchange, type Reply } from './exchange.ts'
import type { HostileServer, Route } from './hostile-server.ts'

/** Each grant of `POST /token` reads other members. */
const GRANTS = [
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
]

/** How often an attacker signs up again after a request has ended the session. */
const MAX_RENEWALS = 25

export const isMalformed = ({ text }: Reply) => text.includes('The body must be a JSON object or a')

export class Attacker {
  readonly route: Route
  readonly #server: HostileServer
  #client!: TestClient
  #session!: TestSession
  #email = ''
  #token = ''
  #renewals = 0

  private constructor(server: HostileServer, route: Route) {
    this.#server = server
    this.route = route
  }

  static async create(server: HostileServer, route: Route): Promise<Attacker> {
    const attacker = new Attacker(server, route)
    await attacker.#signUp()
    return attacker
  }

  async #signUp(): Promise<void> {
    this.#client = await TestClient.registered(this.#server.url)
    this.#email = someEmail()
    this.#session = await this.#client.signUp(this.#email)
    this.#server.grant(this.#email, 'user admin')
    this.#token = await this.#client.seal(this.#session.accessJws)
  }

  /** Valid values of every member that some route reads. A route ignores the others. */
  goodBody(grant_type = GRANTS[0]!): Readonly<Record<string, unknown>> {
    const signsUp = this.route.method === 'POST' && this.route.path === '/account'
    return {
      email: signsUp ? someEmail() : this.#email,
      password: GOOD_PASSWORD,
      name: 'Zoë',
      current_password: GOOD_PASSWORD,
      new_password: GOOD_PASSWORD,
      client_id: this.#client.id,
      client_name: 'a phone',
      key_bound_tokens: false,
      jwks: { keys: [this.#client.publicJwk] },
      grant_type,
      refresh_token: 'a.b.c.d.e',
      token: 'a.b.c.d.e',
      scope: 'user',
      subject_token: 'a.b.c',
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      client_assertion: 'a.b.c',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }
  }

  /** Sends bytes to the route, with a valid access token. */
  async send(body: Buffer, type = 'application/json', parameter = 'x'): Promise<Reply> {
    const { method, path } = this.route
    const reply = await exchange(this.#server.url, {
      method,
      path: path.replaceAll(/:\w+/g, encodeURIComponent(parameter)),
      headers: { Authorization: `Bearer ${this.#token}`, 'Content-Type': type },
      body,
    })
    if (reply.status === 401 && reply.text.includes('invalid_token')) await this.#renew()
    return reply
  }

  async sendJson(body: unknown): Promise<Reply> {
    return this.send(Buffer.from(JSON.stringify(body)))
  }

  async #renew(): Promise<void> {
    if (this.#renewals === MAX_RENEWALS) return
    this.#renewals += 1
    await this.#signUp()
  }

  /** The members that the route reads: it names them when they have the wrong type. */
  async membersRead(): Promise<{ readonly name: string; readonly grant: string }[]> {
    const found: { name: string; grant: string }[] = []
    for (const grant of GRANTS) {
      const names = Object.keys(this.goodBody(grant))
      for (const name of names.filter((each) => !found.some((member) => member.name === each))) {
        const reply = await this.sendJson({ ...this.goodBody(grant), [name]: [] })
        if (complaintOf(reply) === name) found.push({ name, grant })
      }
      if (!found.some(({ name }) => name === 'grant_type')) break
    }
    return found
  }

  /** A member that the route requires and `goodBody` lacks. */
  async unknownMember(): Promise<string | undefined> {
    for (const grant of GRANTS) {
      const good = this.goodBody(grant)
      const body: Record<string, unknown> = {}
      for (;;) {
        const name = complaintOf(await this.sendJson(body))
        if (name === undefined || name in body) break
        if (!(name in good)) return name
        body[name] = good[name]
      }
    }
    return undefined
  }
}

/** The member that an answer names. */
function complaintOf({ status, text }: Reply): string | undefined {
  return status === 400 ? /"error_description":"([a-z_]+)\b/.exec(text)?.[1] : undefined
}
