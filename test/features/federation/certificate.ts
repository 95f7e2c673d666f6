/** Minimal self-signed X.509 certificates (RFC 5280 §4.1). */
import { sign, type KeyObject } from 'node:crypto'

function der(tag: number, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  const size =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const sequence = (...contents: Uint8Array[]) => der(0x30, ...contents)
const integer = (value: number) => der(0x02, Buffer.from([value]))
const bits = (bytes: Uint8Array) => der(0x03, Buffer.from([0]), bytes)

/** sha256WithRSAEncryption and ecdsa-with-SHA256. */
const ALGORITHMS: Record<string, Buffer> = {
  rsa: sequence(der(0x06, Buffer.from('2a864886f70d01010b', 'hex')), der(0x05)),
  ec: sequence(der(0x06, Buffer.from('2a8648ce3d040302', 'hex'))),
}

/** GeneralizedTime. */
const time = (ms: number) =>
  der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/\D/g, '').slice(0, 14)}Z`))

/**
 * A PEM certificate, good for a week around `now`.
 *
 * @param now Milliseconds since the epoch.
 */
export function certificateOf(
  { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject },
  now: number,
): string {
  const week = 7 * 86_400_000
  const algorithm = ALGORITHMS[publicKey.asymmetricKeyType!]!
  const commonName = der(0x06, Buffer.from('550403', 'hex'))
  const name = sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from('provider.test')))))
  const certificate = sequence(
    ...[der(0xa0, integer(2)), integer(1), algorithm, name],
    ...[sequence(time(now - week), time(now + week)), name],
    publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = sign('sha256', certificate, privateKey)
  const base64 = sequence(certificate, algorithm, bits(signature)).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
}
