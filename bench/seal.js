// ECDH-ES+A128KW with A128GCM on P-256 (RFC 7518 §4.6, §5.3), independent of the server's code.
import {
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  KeyObject,
  randomBytes,
} from 'node:crypto'

/** The Concat KDF of RFC 7518 §4.6.2, for 128 bits: one round, no party information. */
function concatKdf(secret) {
  const number = (n) => Buffer.from([0, 0, 0, n])
  const algorithm = Buffer.from('ECDH-ES+A128KW')
  return createHash('sha256')
    .update(number(1))
    .update(secret)
    .update(Buffer.concat([number(algorithm.length), algorithm, number(0), number(0), number(128)]))
    .digest()
    .subarray(0, 16)
}

/** Makes one key agreement with the server's encryption key, a JWK. */
export function agree(jwk) {
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
  // As bytes: Node 20 can hang while it exports a generated KeyObject.
  const ephemeral = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
  const privateKey = createPrivateKey({ key: ephemeral.privateKey, format: 'der', type: 'pkcs8' })
  const epk = createPublicKey({ key: ephemeral.publicKey, format: 'der', type: 'spki' })
  const secret = diffieHellman({ privateKey, publicKey })
  return {
    kid: jwk.kid,
    epk: epk.export({ format: 'jwk' }),
    wrappingKey: concatKdf(secret),
  }
}

/** The key of a client's proofs for the server: see docs/http-api.md, "Key-bound tokens". */
export function proofKey({ id, privateKey, serverJwk }) {
  const secret = diffieHellman({
    privateKey: KeyObject.from(privateKey),
    publicKey: createPublicKey({ key: serverJwk, format: 'jwk' }),
  })
  const info = `jwe-auth-server request proof\0${id}\0${serverJwk.kid}`
  return Buffer.from(hkdfSync('sha256', secret, '', info, 32))
}

/** A `req` without a body, with its proof. */
export function prove(req, key, jws) {
  const digest = createHash('sha256').update(jws).digest('base64url')
  const input = [req.jti, req.iat, req.htm, req.htu, '', digest].join('\n')
  return { ...req, mac: createHmac('sha256', key).update(input).digest('base64url') }
}

/** Seals a JWS, or a body in JSON, with a content key of its own. */
export function seal(text, { kid, epk, wrappingKey }, req, cty = 'JWT') {
  const key = randomBytes(16)
  const wrap = createCipheriv('id-aes128-wrap', wrappingKey, Buffer.alloc(8, 0xa6))
  const header = { alg: 'ECDH-ES+A128KW', enc: 'A128GCM', kid, cty, epk, req }
  const head = Buffer.from(JSON.stringify(header)).toString('base64url')
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-128-gcm', key, iv)
  cipher.setAAD(Buffer.from(head))
  const parts = [wrap.update(key), iv, Buffer.concat([cipher.update(text), cipher.final()])]
  return [head, ...[...parts, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join(
    '.',
  )
}

/** Formats a request as a `Buffer` that is ready to send. */
export const httpRequest = (url, method, path, headers = {}, body = '') =>
  Buffer.from(
    [
      `${method} ${path} HTTP/1.1`,
      `Host: ${new URL(url).host}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ...(method === 'GET' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
      '',
      body,
    ].join('\r\n'),
  )
