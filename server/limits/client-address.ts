import { isIPv4, isIPv6 } from 'node:net'

/**
 * The key under which an address is counted: the whole IPv4 address, but only the /64 of an IPv6
 * address, because a subscriber gets a whole /64.
 */
export function addressKey(given: string): string {
  // Some proxies append a port to the address.
  const ip = given.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1')
  const address = ip.replace(/%.*$/s, '')
  if (isIPv4(address)) return address
  if (!isIPv6(address)) return 'unknown'
  const groups = toGroups(address)
  // An IPv4-mapped address (RFC 4291 §2.5.5.2) is the IPv4 one.
  if (groups.slice(0, 6).join() === '0,0,0,0,0,65535') {
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 255])
      .join('.')
  }
  const network = groups.slice(0, 4).map((group) => group.toString(16))
  return `${network.join(':')}::/64`
}

/** The eight 16-bit groups of an IPv6 address. */
function toGroups(address: string): number[] {
  // The parser of URLs writes an embedded IPv4 address as two groups.
  const { hostname } = new URL(`http://[${address}]`)
  const [start = [], end = []] = hostname
    .slice(1, -1)
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array<string>(8 - start.length - end.length).fill('0')
  return [...start, ...zeros, ...end].map((group) => Number.parseInt(group, 16))
}
