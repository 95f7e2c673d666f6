import type { z } from 'zod'
import type { Client } from './clients/clients.ts'
import type { Core } from './composition.ts'
import type { DatabaseKind } from './database-kind.ts'
import type { History } from './database/migrate.ts'
import type { Account } from './database/schema.ts'
import type { AppContext, AppMiddleware, Handler } from './http/context.ts'
import type { RouteTable } from './http/route-table.ts'
import type { SessionState } from './sessions/authenticate.ts'
import type { Logger } from './log/logger.ts'

/** @throws HttpError or a domain error if the proof is refused. */
export type Proof = (ctx: AppContext<SessionState>, proof: string) => Promise<void>

/** What a feature adds to the server. A feature that is switched off adds nothing: `{}`. */
export interface FeatureParts {
  /** Adds routes after the core's. */
  readonly routes?: (table: RouteTable<SessionState>) => void
  /** Runs on every request, before its route. */
  readonly middleware?: AppMiddleware
  /** A media type of bodies beside JSON and forms. `afterToken` opens them. */
  readonly bodyType?: string
  /** Runs on every route once its access token has been accepted, before its limits. */
  readonly afterToken?: AppMiddleware
  /** `grant_type` → its handler at `POST /token` (RFC 6749 §4.5). */
  readonly grants?: Readonly<Record<string, Handler>>
  /** Members of the metadata document (RFC 8414 §2). */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** Members of the answer to a sign-up. `log` is the request's. */
  readonly signUpAnswer?: (account: Account, client: Client, log: Logger) => Promise<object>
  /** The schemas of these members, for the API documents. */
  readonly signUpMembers?: z.ZodRawShape
  /**
   * Member of a body → its check: a proof of identity that is accepted in place of the password of
   * the person who is signed in.
   */
  readonly proofs?: Readonly<Record<string, Proof>>
  /**
   * Removes expired rows of the feature's tables.
   *
   * @param now Milliseconds since the epoch.
   * @returns The number of removed rows.
   */
  readonly sweep?: (now: number) => Promise<number>
  /**
   * Listens on a port of the feature's own, when the server begins to listen.
   *
   * @throws StartupError
   */
  readonly listen?: () => Promise<void>
  /** Finishes the work under way, and closes what the feature has opened. */
  readonly stop?: () => Promise<void>
}

/** The environment variables of a feature: name → parser, see config/parsers.ts. */
export type FeatureVariables = Readonly<Record<string, z.ZodType>>

type Values<V extends FeatureVariables> = { readonly [Name in keyof V]: z.infer<V[Name]> }

/**
 * A feature, as `features.ts` lists it. Its functions are methods, so that the list can hold features
 * with different variables. That is safe: each gets the values that its own parsers returned.
 */
export interface Feature<V extends FeatureVariables = FeatureVariables> {
  /** The feature's environment variables; none by default. */
  readonly variables?: V
  /**
   * Returns one sentence for each contradiction between the values. A value that could not be
   * parsed is `undefined` here, because it is reported separately.
   *
   * @param isSet Whether a variable has a value, valid or not.
   */
  contradictions?(
    variables: Partial<Values<V>>,
    isSet: (name: keyof V & string) => boolean,
  ): readonly string[]
  /**
   * The migrations of its tables. They have a history of their own, so that the feature can be
   * removed.
   */
  readonly history?: History
  /** Opens databases of another kind than SQLite. Their tables need no history here. */
  readonly database?: DatabaseKind<Values<V>>
  /** Called once, when the server starts. */
  create(core: Core, variables: Values<V>): FeatureParts | Promise<FeatureParts>
}

/** Whether a feature opens databases. Operators' commands need no other variables than those. */
export const opensDatabases = ({ database }: Feature): boolean => database !== undefined

/**
 * Defines a feature: a folder in `features/` and a line in `features.ts`.
 *
 * @example
 * export const greeting = defineFeature({
 *   variables: { GREETING: z.string().default('Hello') },
 *   create: (_core, { GREETING }) => ({
 *     routes: ({ signedIn }) => {
 *       signedIn('GET', '/greeting', (ctx) => {
 *         ctx.body = { text: `${GREETING}, ${ctx.state.session.account.email}` }
 *       })
 *     },
 *   }),
 * })
 */
export const defineFeature = <V extends FeatureVariables = FeatureVariables>(
  definition: Feature<V>,
): Feature => definition
