import { describe, expect, test } from '@jest/globals'
import type { AppContext, ScopedState } from '../../server/http/context.ts'
import { HttpError } from '../../server/http/http-error.ts'
import { requireScope } from '../../server/http/require-scope.ts'

/** Whether a request whose token has this scope gets through, or how it is refused. */
async function pass(required: string, scope: string): Promise<true | HttpError> {
  const ctx = { state: { scope } } as unknown as AppContext<ScopedState>
  let passed = 0
  const next = () => {
    passed++
    return Promise.resolve()
  }
  const error = await requireScope(required)(ctx, next).catch((error: unknown) => error)
  if (error === undefined && passed === 1) return true
  expect([error, passed]).toEqual([expect.any(HttpError), 0])
  return error as HttpError
}

describe('the scope admin', () => {
  test.each(['admin', 'user admin', 'admin user', 'a admin b'])('is in %j', async (scope) => {
    expect(await pass('admin', scope)).toBe(true)
  })

  test.each(['', 'user', 'Admin', 'administrator', 'admin:read', 'super-admin', 'admin\tuser'])(
    'is not in %j',
    async (scope) => {
      const error = await pass('admin', scope)
      expect(error).toMatchObject({ status: 403, code: 'insufficient_scope' })
    },
  )
})

test('the challenge names the scope that is missing (RFC 6750 §3)', async () => {
  const error = (await pass('reports', 'user')) as HttpError
  expect(error.headers['WWW-Authenticate']).toMatch(
    /^Bearer realm="[^"]+", error="insufficient_scope", error_description="[^"]+", scope="reports"$/,
  )
})

test('an error of the next middleware is passed on', async () => {
  const ctx = { state: { scope: 'admin' } } as unknown as AppContext<ScopedState>
  const broken = () => Promise.reject(new Error('behind'))
  await expect(requireScope('admin')(ctx, broken)).rejects.toThrow('behind')
})
