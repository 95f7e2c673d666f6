/** `npm run call` with a server that offers sealed bodies. */
import { describe, expect, test } from '@jest/globals'
import { sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import { parseArguments } from '../../../example/call/arguments.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import { startTestServer } from '../../support/server.ts'
import { ISSUER, runCall, useScene } from '../../example/call/fixtures.ts'

const scene = useScene([sealedBodies])

test('seals by default, shows what is sent, and prints the answer as JSON', async () => {
  const email = someEmail()
  const up = await scene.call(['sign-up', email, '-v'], { input: GOOD_PASSWORD })
  const { code, stdout, stderr } = await scene.call(['PATCH', '/account', '{"name":"Ada"}', '-v'])
  expect([up.code, code, JSON.parse(stdout).account.name]).toEqual([0, 0, 'Ada'])
  const shown = up.stderr + stderr
  expect(shown.match(/^The body, encrypted to the server's key/gm)).toHaveLength(2)
  expect(shown.match(/^The answer, encrypted to this client$/gm)).toHaveLength(2)
  expect(shown).toContain('"cty": "json"')
  expect(shown).not.toContain(GOOD_PASSWORD)
})

test('--plain does not seal', async () => {
  await scene.signUp()
  const { code, stderr } = await scene.call(['GET', '/account', '-v', '--plain'])
  expect([code, stderr.includes('The answer, encrypted')]).toEqual([0, false])
})

test('--sealed refuses a server without sealed bodies, and suggests --plain', async () => {
  const without = await startTestServer({ config: { issuer: ISSUER } })
  const there = ['--server', without.url, '--issuer', ISSUER, '--folder', scene.folder]
  const args = ['sign-up', someEmail(), '--sealed', ...there]
  const { code, stderr } = await runCall(args, { input: GOOD_PASSWORD })
  await without.stop()
  expect(code).toBe(1)
  expect(stderr).toContain('does not offer sealed bodies.')
  expect(stderr).toContain('--plain')
})

describe('the arguments', () => {
  test.each([['--sealed'], ['--plain']])('accept %s', (name) => {
    const { options } = parseArguments(['GET', '/account', name])
    expect(options).toEqual({ [name.slice(2)]: true })
  })
  test('refuse both together', () => {
    expect(() => parseArguments(['GET', '/account', '--sealed', '--plain'])).toThrow(
      '--sealed and --plain exclude each other.',
    )
  })
})
