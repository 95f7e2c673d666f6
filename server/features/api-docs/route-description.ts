import { z } from 'zod'
import { descriptionOf, type Answer, type Description } from '../../http/documented.ts'
import type { Route } from '../../http/route-table.ts'

/** What every route can answer. */
const SHARED: Description = { 500: ['server_error'], 503: ['temporarily_unavailable'] }

/** The descriptions of all steps of a route, together. */
export interface RouteDescription {
  readonly summary: string | undefined
  readonly tag: string | undefined
  readonly query: z.ZodObject | undefined
  /** Alternatives; none if the route takes no body. */
  readonly bodies: readonly z.ZodObject[]
  readonly isFormAccepted: boolean
  /** Media types that stand for JSON. */
  readonly jsonTypes: readonly string[]
  /** Further ones of successful answers. */
  readonly answerTypes: readonly string[]
  readonly security: Readonly<Record<string, object>>
  /** By status. */
  readonly answers: ReadonlyMap<number, readonly Answer[]>
}

export function describeRoute({ steps }: Route): RouteDescription {
  const all = [SHARED, ...steps.map(descriptionOf)]
  const grants = all.flatMap((description) => [...(description.grants ?? [])].map(describeGrant))
  const bodies = [...all, ...grants].flatMap(({ body = [] }) => body)
  const jsonTypes = all.flatMap(({ jsonType }) => jsonType ?? [])
  const hasSecret = [...all, ...grants].some((description) => description.hasSecret)
  // A feature that opens bodies of another type can insist on it.
  if (hasSecret && jsonTypes.length > 0) all.push({ 400: ['sealed_body_required'] })
  const withheld = all.flatMap(({ withheld }) => withheld ?? [])
  const answers = collectAnswers([...all, ...grants], withheld)
  if (bodies.length === 0) for (const status of [413, 415]) answers.delete(status)
  return {
    summary: all.findLast(({ summary }) => summary !== undefined)?.summary,
    tag: all.find(({ tag }) => tag !== undefined)?.tag,
    query: all.find(({ query }) => query !== undefined)?.query,
    bodies,
    isFormAccepted: all.some(({ form }) => form),
    jsonTypes,
    answerTypes: all.flatMap(({ answerType }) => answerType ?? []),
    security: Object.assign({}, ...all.map(({ security }) => security)) as Record<string, object>,
    answers,
  }
}

/** Each grant is one of the bodies that its route takes, with answers of its own. */
function describeGrant([type, handler]: readonly [type: string, handler: object]): Description {
  const { summary: description = '', body = [], ...rest } = descriptionOf(handler)
  const bodies = [body]
    .flat()
    .map(({ shape }) => z.object({ grant_type: z.literal(type), ...shape }).meta({ description }))
  return { ...rest, body: bodies }
}

function collectAnswers(
  descriptions: readonly Description[],
  withheld: readonly string[],
): Map<number, Answer[]> {
  const answers = new Map<number, Answer[]>()
  for (const description of descriptions) {
    for (const [name, answer] of Object.entries(description)) {
      const status = Number(name)
      if (!Number.isInteger(status)) continue
      const all = answers.get(status) ?? []
      answers.set(status, [...all, withoutNeed(answer as Answer, withheld)])
    }
  }
  return answers
}

/** Makes members of an answer optional. */
function withoutNeed(answer: Answer, names: readonly string[]): Answer {
  if (!(answer instanceof z.ZodObject)) return answer
  const optional = Object.entries(answer.shape as Record<string, z.ZodType>)
    .filter(([name]) => names.includes(name))
    .map(([name, schema]) => [name, schema.optional()] as const)
  // An extended schema has lost its name.
  return optional.length === 0 ? answer : answer.extend(Object.fromEntries(optional))
}
