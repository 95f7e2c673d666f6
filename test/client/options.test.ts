import { describe, expect, test } from '@jest/globals'
import { AuthClient, memoryStore, type AuthClientOptions } from '../../client/index.ts'

const create = (options: object) =>
  new AuthClient({
    server: 'https://auth.test',
    store: memoryStore(),
    ...(options as Partial<AuthClientOptions>),
  })

describe('an option', () => {
  test.each([
    [{ sealedBodies: 'offered', keyBoundTokens: 'offered', maxKeyAge: 0 }],
    [{ sealedBodies: 'required', keyBoundTokens: 'required', maxKeyAge: 60 }],
    [{ sealedBodies: 'never', keyBoundTokens: undefined }],
  ])('is accepted: %j', (options) => {
    expect(create(options)).toBeInstanceOf(AuthClient)
  })

  test.each([
    [{ sealedBodies: 'require' }, 'sealedBodies must be one of: offered, required, never.'],
    [{ sealedBodies: true }, 'sealedBodies must be one of: offered, required, never.'],
    [{ sealedBodies: null }, 'sealedBodies must be one of: offered, required, never.'],
    [{ keyBoundTokens: 'never' }, 'keyBoundTokens must be one of: offered, required.'],
    [{ maxKeyAge: '1d' }, 'maxKeyAge must be a number of seconds.'],
    [{ maxKeyAge: '60' }, 'maxKeyAge must be a number of seconds.'],
    [{ maxKeyAge: -1 }, 'maxKeyAge must be a number of seconds.'],
    [{ maxKeyAge: NaN }, 'maxKeyAge must be a number of seconds.'],
  ])('is refused if it is misspelt: %j', (options, message) => {
    expect(() => create(options)).toThrow(new TypeError(message))
  })
})
