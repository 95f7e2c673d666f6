import { expect, test } from '@jest/globals'
import { createRouteTable } from '../../server/http/route-table.ts'

const answer = () => undefined

test('a second route of the same method and path is refused', () => {
  const { open, signedIn, routes } = createRouteTable(answer, { bodyTypes: [], afterToken: [] })
  open('GET', '/notes', answer)
  signedIn('PATCH', '/notes', answer)
  expect(() => {
    signedIn('GET', '/notes', answer)
  }).toThrow('There is a route GET /notes already.')
  open('GET', '/notes/:id', answer)
  expect(() => {
    open('GET', '/notes/:name', answer)
  }).toThrow('There is a route GET /notes/:name already.')
  expect(routes.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /notes',
    'PATCH /notes',
    'GET /notes/:id',
  ])
})
