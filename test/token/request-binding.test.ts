import { expect, jest, test } from '@jest/globals'
import { createRequestBinding, type IncomingRequest } from '../../server/token/request-binding.ts'
import { createReplayCache, type ReplayCache } from '../../server/limits/replay-cache.ts'

const NOW = 1_767_225_600
const REQ = { jti: 'once', iat: NOW, htm: 'POST', htu: 'https://auth.test/base/token' }
const request: IncomingRequest = {
  method: 'POST',
  path: '/token',
  body: Buffer.from('{}'),
  onReplay: jest.fn(),
}

const create = (requestBinding: 'optional' | 'required', replayCache: ReplayCache) =>
  createRequestBinding({
    publicUrl: 'https://auth.test/base',
    requestBinding,
    clock: () => NOW * 1000,
    notBefore: 0,
    replayCache,
  })
const answering = (answer: 'new' | 'seen' | 'forgotten' | 'full' | 'account_full') => {
  const remember = jest.fn<ReplayCache['remember']>().mockResolvedValue(answer)
  return { remember }
}

const claimsOf = (jti: string) => ({ jti, sub: 'somebody' })

test.each([
  ['optional', 'header', undefined],
  ['optional', 'body', undefined],
  ['required', 'header', 'req_missing'],
  ['required', 'body', 'req_missing'],
] as const)('binding %s: a token in the %s without one gives %s', async (policy, place, reason) => {
  const cache = answering('new')
  const checked = create(policy, cache).check(request, { alg: 'x' }, claimsOf('token'), place)
  if (reason === undefined) await expect(checked).resolves.toBeUndefined()
  else await expect(checked).rejects.toMatchObject({ name: 'TokenError', reason })
  expect(cache.remember).not.toHaveBeenCalled()
})

test.each(['optional', 'required'] as const)(
  'binding %s: a req member is checked if it is there, even if it is undefined',
  async (policy) => {
    const cache = answering('new')
    for (const place of ['header', 'body'] as const) {
      const checked = create(policy, cache).check(
        request,
        { req: undefined },
        claimsOf('token'),
        place,
      )
      await expect(checked).rejects.toMatchObject({ reason: 'req' })
    }
    expect(cache.remember).not.toHaveBeenCalled()
  },
)

test('requires a digest from a token in the header, and refuses one from a token in the body', async () => {
  const binding = create('optional', createReplayCache())
  await expect(binding.check(request, { req: REQ }, claimsOf('a'), 'body')).resolves.toBeUndefined()
  await expect(binding.check(request, { req: REQ }, claimsOf('b'), 'header')).rejects.toMatchObject(
    {
      reason: 'req_dig',
    },
  )
  const { createHash } = await import('node:crypto')
  const req = { ...REQ, dig: createHash('sha256').update('{}').digest('base64url') }
  await expect(binding.check(request, { req }, claimsOf('c'), 'header')).resolves.toBeUndefined()
  await expect(binding.check(request, { req }, claimsOf('d'), 'body')).rejects.toMatchObject({
    reason: 'req_dig',
  })
})

test.each([
  ['new', undefined],
  ['seen', { name: 'TokenError', reason: 'req_replayed' }],
  ['forgotten', { name: 'TokenError', reason: 'req_before_start' }],
  ['full', { name: 'UnavailableError', retryAfter: 60 }],
  ['account_full', { name: 'TooManyTries', retryAfter: 60 }],
] as const)('translates the answer %s of the replay cache', async (answer, error) => {
  const cache = answering(answer)
  const checked = create('optional', cache).check(request, { req: REQ }, claimsOf('token'), 'body')
  if (error === undefined) await expect(checked).resolves.toBeUndefined()
  else await expect(checked).rejects.toMatchObject(error)
  expect(cache.remember).toHaveBeenCalledTimes(1)
  expect(cache.remember).toHaveBeenCalledWith(
    expect.stringContaining('once'),
    NOW * 1000,
    'somebody',
    REQ.iat * 1000,
  )
})

test('the cache key combines both identifiers unambiguously', async () => {
  const cache = answering('new')
  const binding = create('optional', cache)
  for (const [tokenId, jti] of [
    ['a', 'b'],
    ['a', 'c'],
    ['b', 'b'],
    ['a', 'b c'],
  ] as const) {
    await binding.check(request, { req: { ...REQ, jti } }, claimsOf(tokenId), 'body')
  }
  expect(new Set(cache.remember.mock.calls.map(([id]) => id)).size).toBe(4)
})
