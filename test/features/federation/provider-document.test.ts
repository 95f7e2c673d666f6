import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import {
  fetchDocument,
  ProviderError,
} from '../../../server/features/federation/provider-document.ts'
import { createClock } from '../../support/clock.ts'
import { Provider } from './provider.ts'

let provider: Provider
let elsewhere: Provider
beforeAll(async () => {
  ;[provider, elsewhere] = await Promise.all([
    Provider.start(createClock()),
    Provider.start(createClock()),
  ])
})
afterAll(() => Promise.all([provider.stop(), elsewhere.stop()]))

afterEach(() => {
  jest.restoreAllMocks()
})

const fetchFrom = (
  answer: (response: ServerResponse) => void,
  signal = AbortSignal.timeout(30_000),
) => {
  provider.instead = (_, response) => {
    answer(response)
  }
  return fetchDocument(`${provider.issuer}/jwks`, signal)
}
const failure = async (...given: Parameters<typeof fetchFrom>): Promise<string> => {
  const error = await fetchFrom(...given).then(
    () => new Error('It was taken.'),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ProviderError)
  return (error as ProviderError).message.replace(provider.issuer, '')
}

test.each<[string | undefined, number]>([
  [undefined, 300],
  ['public', 300],
  ['max-age=3600', 3600],
  ['public, max-age=19404, must-revalidate, no-transform', 19_404],
  ['max-age="120"', 120],
  ['MAX-AGE=90', 90],
  ['max-age=0', 60],
  ['max-age=59', 60],
  ['max-age=99999999999999999999', 86_400],
  ['max-age=-5', 300],
  ['s-maxage=5000', 300],
  ['no-store', 60],
  ['no-cache, max-age=500', 60],
])('Cache-Control %j means %i s', async (value, maxAge) => {
  const headers = value === undefined ? {} : { 'cache-control': value }
  const document = await fetchFrom((response) => response.writeHead(200, headers).end('{"a":1}'))
  expect(document).toEqual({ members: { a: 1 }, maxAge })
})

describe('a document is refused:', () => {
  test.each<[string, (response: ServerResponse) => void, string]>([
    ['an error', (response) => response.writeHead(500).end('{}'), '/jwks answered 500'],
    ['a 304', (response) => response.writeHead(304).end(), '/jwks answered 304'],
    ['not JSON', (response) => response.end('<html>'), '/jwks did not answer with a JSON object'],
    ['a list', (response) => response.end('[]'), '/jwks did not answer with a JSON object'],
    [
      'invalid UTF-8',
      (response) => response.end(Buffer.from([0x7b, 0xff, 0x7d])),
      '/jwks did not answer with a JSON object',
    ],
    ['an empty body', (response) => response.end(), '/jwks did not answer with a JSON object'],
    [
      'too large',
      (response) => response.end(`{"a":"${'x'.repeat(300_000)}"}`),
      '/jwks is over 256 KiB',
    ],
    [
      'too large when decompressed',
      (response) => {
        response.setHeader('content-encoding', 'gzip')
        response.end(gzipSync(`{"a":"${'x'.repeat(20_000_000)}"}`))
      },
      '/jwks is over 256 KiB',
    ],
    [
      'incomplete',
      (response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{"a":')
        setImmediate(() => response.destroy())
      },
      '/jwks gave an incomplete answer',
    ],
  ])('%s', async (_, answer, message) => {
    expect(await failure(answer)).toBe(message)
  })

  test('a redirect, which is not followed', async () => {
    const to = { location: `${elsewhere.issuer}/jwks` }
    expect(await failure((response) => response.writeHead(302, to).end())).toBe(
      '/jwks cannot be reached',
    )
    expect(elsewhere.asked).toEqual([])
  })

  test('a body that takes too long', async () => {
    const fetched = jest.spyOn(globalThis, 'fetch')
    const time = new AbortController()
    let drip: NodeJS.Timeout | undefined
    const dripping = failure((response) => {
      response.writeHead(200).write('{')
      drip = setInterval(() => response.write(' '), 10)
    }, time.signal)
    // The time is up after the body has begun.
    await fetched.mock.results[0]!.value
    time.abort()
    expect(await dripping).toBe('/jwks gave an incomplete answer')
    clearInterval(drip)
  })

  test('an answer that takes too long', async () => {
    const time = new AbortController()
    const waiting = failure(() => {
      time.abort()
    }, time.signal)
    expect(await waiting).toBe('/jwks cannot be reached')
  })

  test('a port without a listener', async () => {
    const closed = await Provider.start(createClock())
    await closed.stop()
    await expect(fetchDocument(`${closed.issuer}/jwks`, AbortSignal.timeout(5000))).rejects.toThrow(
      ProviderError,
    )
  })
})
