import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { addressKey } from '../../server/limits/client-address.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['1::', '1:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['1.2.3.4:567', '1.2.3.4'],
  ['[2001:db8::1]:567', '2001:db8:0:0::/64'],
  ['[2001:db8::1]', '2001:db8:0:0::/64'],
  ['[::ffff:192.0.2.1]:567', '192.0.2.1'],
  ['[fe80::1%eth0]:567', 'fe80:0:0:0::/64'],
  // Without brackets, 567 is a group and not a port.
  ['2001:db8::1:567', '2001:db8:0:0::/64'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['::FFFF:C000:0201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:c000:201', '192.0.2.1'],
  ['[::ffff:c000:201]:567', '192.0.2.1'],
  ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
  ['::1:2:3:4:5:192.0.2.1', '0:1:2:3::/64'],
  ['', 'unknown'],
  ['unknown', 'unknown'],
  ['_hidden', 'unknown'],
  ['localhost:567', 'unknown'],
  ['1.2.3', 'unknown'],
  ['1.2.3.256', 'unknown'],
  ['1.2.3.4:', 'unknown'],
  ['1.2.3.4:5:6', 'unknown'],
  ['[]', 'unknown'],
  ['[2001:db8::1', 'unknown'],
  ['2001:db8::1::2', 'unknown'],
  ['::ffff:1.2.3.256', 'unknown'],
])('%s counts as %s', (ip, key) => {
  expect(addressKey(ip)).toBe(key)
})

const half = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 0, max: 0xffff })))
const sparse = fc.tuple(
  ...Array.from({ length: 4 }, () => fc.constantFrom(0, 0, 0, 1, 0xab, 0xffff)),
)
const anyHalf = fc.oneof(half, sparse)

/** Every spelling of an address in RFC 4291 §2.2, by the run of zeros that is left out. */
const spellings = (groups: readonly number[]): string[] => {
  const hex = groups.map((group) => group.toString(16))
  const runs = groups.flatMap((_, start) =>
    groups.flatMap((_, index) => {
      const end = index + 1
      return end > start && groups.slice(start, end).every((group) => group === 0)
        ? [`${hex.slice(0, start).join(':')}::${hex.slice(end).join(':')}`]
        : []
    }),
  )
  return [
    hex.join(':'),
    hex.map((group) => group.padStart(4, '0').toUpperCase()).join(':'),
    ...runs,
  ]
}

/** Whether the groups are an IPv4-mapped address. */
const isMapped = (groups: readonly number[]) =>
  groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff

test('IPv6 addresses have the same key exactly if they share a /64, however they are written', () => {
  fc.assert(
    fc.property(anyHalf, anyHalf, anyHalf, anyHalf, (network, otherNetwork, one, other) => {
      fc.pre(!isMapped([...network, ...one]) && !isMapped([...network, ...other]))
      const keys = new Set(
        [...spellings([...network, ...one]), ...spellings([...network, ...other])].map(addressKey),
      )
      expect(keys.size).toBe(1)
      const isSame = network.join() === otherNetwork.join()
      for (const ip of spellings([...otherNetwork, ...other])) {
        if (!isMapped([...otherNetwork, ...other])) expect(keys.has(addressKey(ip))).toBe(isSame)
      }
    }),
  )
})

test('each IPv4 address has its own key, and the same one when mapped', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), (one, other) => {
      expect(addressKey(`::ffff:${one}`)).toBe(addressKey(one))
      expect(addressKey(one) === addressKey(other)).toBe(one === other)
    }),
  )
})

test('a port does not change the key', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV6(), fc.integer({ min: 0, max: 65_535 }), (v4, v6, port) => {
      expect(addressKey(`${v4}:${port}`)).toBe(addressKey(v4))
      expect(addressKey(`[${v6}]:${port}`)).toBe(addressKey(v6))
    }),
  )
})

test('an IPv4 address mapped in hexadecimal has the key of that IPv4 address', () => {
  expect(addressKey('::ffff:c000:201')).toBe('192.0.2.1')
})
