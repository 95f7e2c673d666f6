import { isIPv4, isIPv6 } from 'node:net'

/**
 * What an address counts as: an IPv4 address for itself, an IPv6 one for its /64, because that is
 * what one subscriber is given.
 */
export function addressKey(given: string): string {
  // Some proxies write a port behind the address.
  const ip = given.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1')
  const [address = ''] = ip.split('%')
  if (isIPv4(address)) return address
  if (!isIPv6(address)) return 'unknown'
  const groups = toGroups(address)
  const [high = 0, low = 0] = groups.slice(6)
  // An IPv4-mapped address (RFC 4291 §2.5.5.2) is the IPv4 one.
  if (groups.slice(0, 6).join() === '0,0,0,0,0,65535') {
    return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  }
  const network = groups.slice(0, 4).map((group) => group.toString(16))
  return `${network.join(':')}::/64`
}

/** The eight 16-bit groups of an IPv6 address, whose last two may be written as IPv4. */
function toGroups(address: string): number[] {
  const hexadecimal = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [left = [], right = []] = hexadecimal
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16))))
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
}
