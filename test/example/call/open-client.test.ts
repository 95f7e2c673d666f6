import { describe, expect, test } from '@jest/globals'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { nameOf } from '../../../example/call/open-client.ts'
import { GOOD_PASSWORD } from '../../support/client.ts'
import { freePort } from '../../support/process.ts'
import { ISSUER, runCall, useScene } from './fixtures.ts'

const scene = useScene()

test.each([
  ['http://localhost:3000', 'localhost_3000'],
  ['https://auth.example.com/', 'auth.example.com'],
  ['https://example.com/auth/', 'example.com_auth'],
  ['http://[::1]:3000', '_1_3000'],
])('the folder of %s is %s', (server, name) => {
  expect(nameOf(server)).toBe(name)
})

describe('without a session or a server', () => {
  test('reports that nobody has signed in', async () => {
    const { code, stdout, stderr } = await scene.call(['GET', '/account'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^✗ Nobody is signed in at .+ Sign in first: /)
    expect(existsSync(scene.folder)).toBe(false)
  })

  test('reports that the server is unreachable', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const args = ['sign-in', 'ada@mail.test', '--server', url, '--folder', scene.folder]
    const { code, stdout, stderr } = await runCall(args, { input: GOOD_PASSWORD })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain(`✗ ${url}/.well-known/`)
    expect(stderr).toContain('cannot be reached.\n  Is it running?')
  })

  test('signs out on this side if the server is unreachable', async () => {
    await scene.signUp()
    const away = `http://127.0.0.1:${await freePort()}`
    const args = ['sign-out', '--server', away, '--issuer', ISSUER, '--folder', scene.folder]
    const { code, stderr } = await runCall(args)
    expect([code, stderr]).toEqual([
      1,
      '✗ Signed out here. The server could not be told, so it keeps the session until that expires.\n',
    ])
    expect((await scene.call(['GET', '/account'])).stderr).toMatch(/^✗ Nobody is signed in\./)
  })

  test('reports another issuer', async () => {
    const there = ['--server', scene.server.url, '--folder', scene.folder]
    const signIn = ['sign-in', 'ada@mail.test', ...there]
    const { code, stderr } = await runCall(signIn, { input: GOOD_PASSWORD })
    expect(code).toBe(1)
    expect(stderr).toContain('That is --issuer <url> here.')
  })

  test('takes the default server from the configuration', async () => {
    const env = { PORT: '3999' }
    const { stderr } = await runCall(['GET', '/', '--folder', scene.folder], { env })
    expect(stderr).toMatch(/^✗ Nobody is signed in at http:\/\/localhost:3999\./)
    const named = await runCall(['GET', '/', '--folder', scene.folder], { env: { ISSUER } })
    expect(named.stderr).toMatch(/^✗ Nobody is signed in at https:\/\/auth\.test\./)
    const wrong = await runCall(['GET', '/', '--folder', scene.folder], { env: { PORT: 'x' } })
    expect([wrong.code, wrong.stdout]).toEqual([1, ''])
    expect(wrong.stderr).toMatch(/^✗ PORT /)
  })
})

describe('the key', () => {
  test('is in a folder and files that only their owner can read', async () => {
    await scene.signUp()
    expect(readdirSync(scene.folder)).toEqual(expect.arrayContaining(['client.key', 'passphrase']))
    for (const name of readdirSync(scene.folder)) {
      expect([name, statSync(join(scene.folder, name)).mode & 0o777]).toEqual([name, 0o600])
    }
    expect(statSync(scene.folder).mode & 0o777).toBe(0o700)
    expect(readFileSync(join(scene.folder, 'client.key'), 'utf8')).toMatch(/^-----BEGIN ENCRYPTED /)
  })

  test('is encrypted with CALL_PASSPHRASE, which is not stored', async () => {
    const env = { CALL_PASSPHRASE: 'one for the key' }
    await scene.signUp({ env })
    expect(existsSync(join(scene.folder, 'passphrase'))).toBe(false)
    expect((await scene.call(['GET', '/account'], { env })).code).toBe(0)
    const without = await scene.call(['GET', '/account'])
    expect([without.code, without.stderr]).toEqual([
      1,
      '✗ There is no terminal to ask on. Set CALL_PASSPHRASE.\n',
    ])
    const wrong = await scene.call(['GET', '/account'], { env: { CALL_PASSPHRASE: 'another' } })
    expect([wrong.code, wrong.stdout]).toEqual([1, ''])
    expect(wrong.stderr).toContain('the passphrase is wrong')
  })

  test('cannot be stored in a folder that cannot be created', async () => {
    scene.folder = '/dev/null/client'
    const { code, stderr } = await scene.call(['sign-in', 'ada@mail.test'], {
      input: GOOD_PASSWORD,
    })
    expect([code, stderr]).toEqual([
      1,
      '✗ /dev/null/client cannot be used (ENOTDIR). Choose another --folder.\n',
    ])
  })
})
