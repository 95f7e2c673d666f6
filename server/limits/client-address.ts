import { isIPv4, isIPv6, SocketAddress } from 'node:net'

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
  const { address: normal } = new SocketAddress({ address, family: 'ipv6' })
  // An IPv4-mapped address (RFC 4291 §2.5.5.2) is the IPv4 one.
  const mapped = /^::ffff:([\d.]+)$/.exec(normal)?.[1]
  if (mapped !== undefined) return mapped
  const [start = [], end = []] = normal
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array<string>(8 - start.length - end.length).fill('0')
  return `${[...start, ...zeros, ...end].slice(0, 4).join(':')}::/64`
}
