import { describe, expect, test } from '@jest/globals'
import { parseArguments } from '../../../example/call/arguments.ts'
import { CallError } from '../../../example/call/call-error.ts'

test.each([
  [['--help'], { name: 'help' }],
  [['fly', '-h'], { name: 'help' }],
  [['sign-out'], { name: 'sign-out' }],
  [['sign-in', 'ada@mail.test'], { name: 'sign-in', email: 'ada@mail.test' }],
  [['sign-up', 'ada@mail.test'], { name: 'sign-up', email: 'ada@mail.test' }],
  [
    ['sign-up', 'ada@mail.test', '--name', 'Ada'],
    { name: 'sign-up', email: 'ada@mail.test', displayName: 'Ada' },
  ],
  [['GET', '/account'], { name: 'request', method: 'GET', target: '/account' }],
  [
    ['patch', '/account', '{}'],
    { name: 'request', method: 'PATCH', target: '/account', body: '{}' },
  ],
  [['POST', '/x', '-'], { name: 'request', method: 'POST', target: '/x', body: '-' }],
  [
    ['GET', 'https://notes.test/a'],
    { name: 'request', method: 'GET', target: 'https://notes.test/a' },
  ],
])('parses %j', (args, command) => {
  expect(parseArguments(args).command).toEqual(command)
})

test('options can be anywhere', () => {
  const { options } = parseArguments([
    '--server',
    'https://auth.test',
    'GET',
    '--service',
    'http://a.test',
    '/x',
    '-v',
    '--service=http://b.test',
    '--folder',
    'f',
    '--issuer',
    'https://issuer.test',
  ])
  expect({ ...options }).toEqual({
    server: 'https://auth.test',
    issuer: 'https://issuer.test',
    service: ['http://a.test', 'http://b.test'],
    folder: 'f',
    verbose: true,
  })
})

describe('wrong arguments', () => {
  test.each([
    [[], 'A command is missing.'],
    [['fly'], 'There is no command "fly".'],
    [['TRACE', '/'], 'There is no command "TRACE".'],
    [['sign-up'], 'sign-up needs an e-mail address.'],
    [
      ['sign-in', 'a@mail.test', 'secret'],
      'sign-in takes only an address. It asks for the password.',
    ],
    [['sign-out', 'now'], 'sign-out takes no further arguments.'],
    [['GET'], 'GET needs a path, such as /account.'],
    [
      ['GET', 'account'],
      '"account" is not a path such as /account, or a URL such as http://localhost:3000.',
    ],
    [['GET', '/account', '{}'], 'GET cannot have a body.'],
    [['POST', '/account', '{"a":', '1}'], 'The body must be one argument: quote it.'],
    [['sign-out', '--name', 'Ada'], '--name can only be used with sign-up.'],
    [
      ['sign-out', '--server', 'localhost:3000'],
      '"localhost:3000" is not a URL such as http://localhost:3000.',
    ],
    [['sign-out', '--service', 'http://'], '"http://" is not a URL such as http://localhost:3000.'],
    [['sign-out', '--password', 'x'], "Unknown option '--password'."],
    [['sign-out', '--server'], "Option '--server <value>' argument missing."],
    [['sign-out', '--server', '-v'], "Option '--server' argument is ambiguous."],
  ])('%j', (args, sentence) => {
    const parse = () => parseArguments(args)
    expect(parse).toThrow(new CallError(`${sentence} See: npm run call -- --help`))
    expect(parse).toThrow(expect.objectContaining({ exitCode: 2 }))
  })
})
