import { afterEach, describe, expect, test } from '@jest/globals'
import { z } from 'zod'
import { defineFeature, type Feature } from '../../../server/feature.ts'
import { apiDocs } from '../../../server/features/api-docs/index.ts'
import { secretBody } from '../../../server/http/route-table.ts'
import { documented, type Description } from '../../../server/http/documented.ts'
import { requireScope } from '../../../server/http/require-scope.ts'
import { fetchApiDocument } from '../../support/api-document.ts'
import { rawRequest } from '../../support/raw-request.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let server: TestServer | undefined
afterEach(async () => {
  await server?.stop()
  server = undefined
})

/** The document of a server with this feature and others. */
async function documentOf(...others: Feature[]) {
  server = await startTestServer({ features: [apiDocs, ...others] })
  return (await fetchApiDocument(server.url))!.document
}

/** A new function each time, because descriptions are stored on the function. */
const handler = () => () => undefined

/** `GET /notes/:id`, with this description on its handler. */
const notes = (description: Description) =>
  defineFeature({
    create: () => ({
      routes: ({ signedIn }) => {
        signedIn('GET', '/notes/:id', requireScope('notes'), documented(handler(), description))
      },
    }),
  })
type Pair = Record<'get' | 'post', Awaited<ReturnType<typeof noteOf>>>
const noteOf = async (description: Description) =>
  (await documentOf(notes(description))).paths['/notes/{id}']!['get']!

test('the document is public JSON that caches must revalidate', async () => {
  server = await startTestServer({ features: [apiDocs] })
  const { status, headers, body } = await rawRequest(server.url, '/openapi.json')
  expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8'])
  expect(headers.get('cache-control')).toBe('no-cache')
  expect(body.openapi).toMatch(/^3\.1\.\d$/)
  expect(body.info.version).toMatch(/^\d+\.\d+\.\d+$/)
  expect(body.servers).toEqual([{ url: server.config.issuer }])
})

test("a route's description joins those of its steps", async () => {
  const schema = z.object({ text: z.string().max(10), made: z.iso.datetime(), length: z.int() })
  const note = await noteOf({ summary: 'Reads a note.', 200: schema, 404: ['not_found'] })
  expect(note).toMatchObject({
    operationId: 'getNotesId',
    summary: 'Reads a note.',
    security: [{ accessToken: [] }],
    parameters: [{ name: 'id', in: 'path', required: true }],
  })
  expect(note.responses['200'].content).toEqual({
    'application/json': {
      schema: {
        type: 'object',
        properties: {
          text: { type: 'string', maxLength: 10 },
          made: { type: 'string', format: 'date-time' },
          length: { type: 'integer' },
        },
        required: ['text', 'made', 'length'],
      },
    },
  })
  expect(Object.keys(note.responses)).toEqual(['200', '400', '401', '403', '404', '500', '503'])
})

test('error codes of several steps for one status are listed together', async () => {
  const document = await documentOf(notes({ 403: ['invalid_grant'] }))
  const { $ref } = document.paths['/notes/{id}']!['get']!.responses['403']
  const { schema } =
    document.components.responses[($ref as string).slice('#/components/responses/'.length)].content[
      'application/json'
    ]
  expect(schema.properties.error.enum).toEqual(['insufficient_scope', 'invalid_grant'])
})

test('a query has one parameter for each member of its schema', async () => {
  const query = z.object({ limit: z.coerce.number().int().default(50), of: z.string() })
  const { parameters } = await noteOf({ query })
  expect(parameters.slice(1)).toMatchObject([
    { name: 'limit', in: 'query', required: false, schema: { type: 'integer', default: 50 } },
    { name: 'of', in: 'query', required: true, schema: { type: 'string' } },
  ])
})

test('a named schema is defined once', async () => {
  const note = z.object({ text: z.string() }).meta({ id: 'Note' })
  const document = await documentOf(notes({ 200: note, 201: z.object({ notes: z.array(note) }) }))
  const { responses } = document.paths['/notes/{id}']!['get']!
  const $ref = '#/components/schemas/Note'
  const schemaOf = (status: number) =>
    responses[status].content['application/json'].schema as {
      readonly properties: { readonly notes: { readonly items: object } }
    }
  expect(schemaOf(200)).toEqual({ $ref })
  expect(schemaOf(201).properties.notes.items).toEqual({ $ref })
  expect(document.components.schemas['Note'].properties).toEqual({ text: { type: 'string' } })
})

test('an answer of another type has its media type, and one without a body has no content', async () => {
  const { responses } = await noteOf({ 200: 'image/png', 204: null })
  expect(responses['200'].content).toEqual({ 'image/png': {} })
  expect(responses['204']).toEqual({ description: 'No Content' })
})

test('a route without a description is listed with those of its other steps', async () => {
  const silent = defineFeature({
    create: () => ({
      routes: ({ open, signedIn }) => {
        open('POST', '/silent', handler())
        signedIn('GET', '/silent', handler())
      },
    }),
  })
  const { post, get } = (await documentOf(silent)).paths['/silent'] as Pair
  expect([post.operationId, Object.keys(post.responses)]).toEqual([
    'postSilent',
    ['400', '500', '503'],
  ])
  expect(Object.keys(get.responses)).toEqual(['400', '401', '403', '500', '503'])
})

describe('a feature that opens bodies of another type', () => {
  const TYPE = 'application/secret'
  const step = (description: Description = {}) =>
    documented((_: unknown, next: () => Promise<void>) => next(), {
      jsonType: TYPE,
      ...description,
    })
  const answer = z.object({ key: z.string(), name: z.string() })
  const routes = defineFeature({
    create: () => ({
      routes: ({ open }) => {
        const body = z.object({ password: z.string() })
        open('POST', '/lock', secretBody(documented(handler(), { body, 200: answer })))
        open('GET', '/lock', documented(handler(), { 200: answer }))
      },
    }),
  })
  const sealing = (description?: Description) =>
    defineFeature({ create: () => ({ bodyType: TYPE, afterToken: step(description) }) })

  test('adds its type to bodies and answers, and can require it', async () => {
    const document = await documentOf(sealing(), routes)
    const { post, get } = document.paths['/lock'] as Pair
    const types = ['application/json', TYPE]
    expect(Object.keys(post.requestBody.content)).toEqual(types)
    expect(Object.keys(post.responses['200'].content)).toEqual(types)
    expect(post.responses['400'].$ref).toContain('sealed_body_required')
    // No recipient is known for this answer.
    expect(Object.keys(get.responses['200'].content)).toEqual(['application/json'])
  })

  test('changes nothing if it is not installed', async () => {
    const { post } = (await documentOf(routes)).paths['/lock'] as Pair
    expect(Object.keys(post.requestBody.content)).toEqual(['application/json'])
    expect(post.responses['400'].$ref).not.toContain('sealed')
  })

  test('can leave a member out of plain JSON', async () => {
    const { post } = (await documentOf(sealing({ withheld: 'key' }), routes)).paths['/lock'] as Pair
    expect(post.responses['200'].content['application/json'].schema.required).toEqual(['name'])
  })
})

test("the token endpoint lists the features' grants and their answers", async () => {
  const body = z.object({ ticket: z.string() })
  const ticket = documented(handler(), {
    body,
    200: z.object({ seat: z.int() }),
    409: ['account_exists'],
  })
  const cinema = defineFeature({ create: () => ({ grants: { ticket } }) })
  const { post } = (await documentOf(cinema)).paths['/token'] as Pair
  for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
    const { anyOf } = post.requestBody.content[type].schema
    const grants = JSON.stringify(anyOf).match(/(?<="const":")\w+/g)
    expect(grants).toEqual(['refresh_token', 'ticket'])
    expect(anyOf[1].required).toEqual(['grant_type', 'ticket'])
  }
  expect(post.responses['200'].content['application/json'].schema.anyOf).toHaveLength(2)
  expect(post.responses['409'].$ref).toContain('account_exists')
})
