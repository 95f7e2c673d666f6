import { beforeEach, expect, jest, test } from '@jest/globals'
import { createConfirmPassword } from '../../server/accounts/confirm-password.ts'
import type { PasswordHasher } from '../../server/accounts/password-hash.ts'
import { rateLimited } from '../../server/errors.ts'
import type { Lockout } from '../../server/limits/lockout.ts'
import type { RateLimits } from '../../server/limits/rate-limits.ts'
import type { Session } from '../../server/sessions/sessions.ts'

const SESSION = { id: 's-1', account: { id: 'a-1', password_hash: 'hash of right' } } as Session

const consume = jest.fn<RateLimits['consume']>()
const lockout = { attempt: jest.fn<Lockout['attempt']>(), clear: jest.fn<Lockout['clear']>() }
const passwords = {
  hash: jest.fn<PasswordHasher['hash']>(),
  verify: jest.fn<PasswordHasher['verify']>(),
  needsRehash: jest.fn<PasswordHasher['needsRehash']>(),
}
const confirm = (password: string, over: Lockout | undefined = lockout) =>
  createConfirmPassword(passwords, { consume }, over)(SESSION, password)

beforeEach(() => {
  for (const mock of [consume, lockout.attempt, lockout.clear]) mock.mockReset().mockResolvedValue()
  passwords.verify
    .mockReset()
    .mockImplementation((hash, password) => Promise.resolve(hash === `hash of ${password}`))
})

test('the right password is counted for the session, and clears what was counted', async () => {
  await expect(confirm('right')).resolves.toBeUndefined()
  const [action, by, key] = consume.mock.lastCall!
  expect([action, by, key]).toEqual(['login', 'account', expect.stringContaining('s-1')])
  expect(lockout.attempt).toHaveBeenCalledTimes(1)
  expect(lockout.clear.mock.calls).toEqual(lockout.attempt.mock.calls)
})

test('a wrong one is refused, and stays counted', async () => {
  await expect(confirm('wrong')).rejects.toMatchObject({ status: 400, code: 'invalid_grant' })
  expect(lockout.attempt).toHaveBeenCalledTimes(1)
  expect(lockout.clear).not.toHaveBeenCalled()
})

test.each([
  ['the rate limit', consume],
  ['the lockout', lockout.attempt],
] as const)('no password is looked at once %s has refused', async (_, step) => {
  step.mockRejectedValue(rateLimited(7))
  await expect(confirm('right')).rejects.toMatchObject({ status: 429, code: 'rate_limited' })
  expect(passwords.verify).not.toHaveBeenCalled()
  expect(lockout.clear).not.toHaveBeenCalled()
})

test('what the lockout refuses is not counted against the rate limit', async () => {
  lockout.attempt.mockRejectedValue(rateLimited(7))
  await expect(confirm('right')).rejects.toMatchObject({ code: 'rate_limited' })
  expect(consume).not.toHaveBeenCalled()
})

test('without a lockout it is the password alone', async () => {
  const withoutLock = createConfirmPassword(passwords, { consume }, undefined)
  await expect(withoutLock(SESSION, 'right')).resolves.toBeUndefined()
  await expect(withoutLock(SESSION, 'wrong')).rejects.toMatchObject({ code: 'invalid_grant' })
})

test('a password that cannot be checked is neither right nor wrong', async () => {
  passwords.verify.mockRejectedValue(new Error('no memory'))
  await expect(confirm('right')).rejects.toThrow('no memory')
  expect(lockout.clear).not.toHaveBeenCalled()
})
