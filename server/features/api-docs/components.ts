import { z } from 'zod'

/** A JSON Schema in the dialect of OpenAPI 3.1, or another part of the document. */
export type Part = Record<string, unknown>

/** What the operations share (OpenAPI 3.1 §4.8.7). */
export interface Components {
  readonly schemas: Record<string, Part>
  readonly responses: Record<string, Part>
  readonly securitySchemes: Record<string, object>
}

export const createComponents = (): Components => ({
  schemas: {},
  responses: {},
  securitySchemes: {},
})

interface Converted {
  readonly properties: { readonly schema: Part }
  readonly $defs?: Record<string, Part>
}

/**
 * Converts a zod schema. The named ones inside it go to the components and become references.
 *
 * Unlike the schema of a parsed value, the result allows further members, because they are ignored
 * in requests, and a later version may add some to answers.
 */
export function toSchema(schema: z.core.$ZodType, { schemas }: Components): Part {
  // In a member, because zod makes references only below the top.
  const document = z.toJSONSchema(z.object({ schema }), {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      removeNoise(jsonSchema)
    },
  })
  const text = JSON.stringify(document).replaceAll('"#/$defs/', '"#/components/schemas/')
  const { properties, $defs } = JSON.parse(text) as Converted
  Object.assign(schemas, $defs)
  return properties.schema
}

/** Removes what zod adds to its own formats: a long pattern of dates, the bounds of exact integers. */
function removeNoise(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.format !== undefined) delete schema.pattern
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
}

/** Stores a response under a name, and returns the reference to it. */
export function shareResponse({ responses }: Components, name: string, response: Part): Part {
  responses[name] = response
  return { $ref: `#/components/responses/${name}` }
}
