import type { z } from 'zod'
import type { ErrorCode } from './http-error.ts'

/**
 * The schema of a JSON answer, the media type of any other, the codes of an error, or `null` for no
 * body.
 */
export type Answer = z.ZodType | string | readonly ErrorCode[] | null

/** What a middleware or a handler contributes to the API documents of its route. */
export interface Description {
  /** What the route does, in one sentence. */
  readonly summary?: string
  /** Lists the route under another heading than the first segment of its path. */
  readonly tag?: string
  readonly query?: z.ZodObject
  /** The body, or the alternatives for it. */
  readonly body?: z.ZodObject | readonly z.ZodObject[]
  /** Whether a form is accepted as well as JSON. */
  readonly form?: boolean
  /** Whether the body holds a secret: see route-table.ts. */
  readonly hasSecret?: boolean
  /** A media type that stands for JSON, in bodies and answers. */
  readonly jsonType?: string
  /** A member of answers that is left out if they are plain JSON. */
  readonly withheld?: string
  /** A media type of the answer, if the client asks for it, beside JSON. */
  readonly answerType?: string
  /** Name → security scheme (OpenAPI 3.1 §4.8.27). */
  readonly security?: Readonly<Record<string, object>>
  /** At a token endpoint: `grant_type` → handler. */
  readonly grants?: ReadonlyMap<string, object>
  readonly [status: number]: Answer
}

/**
 * Describes a middleware or a handler, which runs as before. Each says only what it does itself.
 *
 * @example
 * return { read: documented(read, { summary: 'Reads a note.', 200: noteSchema }) }
 */
export const documented = <Step extends object>(step: Step, description: Description): Step =>
  Object.assign(step, { description })

/** Empty if it was not described. */
export const descriptionOf = (step: object): Description =>
  (step as { description?: Description }).description ?? {}
