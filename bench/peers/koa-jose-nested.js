// A signed token in an encrypted one, written in the usual way with Koa and jose.
import { compactDecrypt, jwtVerify } from 'jose'
import Koa from 'koa'
import { audience, decryptionKey, issuer, listen, signingKey } from './listen.js'

const app = new Koa()
app.use(async (ctx) => {
  const token = ctx.get('Authorization').slice('Bearer '.length)
  const { plaintext } = await compactDecrypt(token, decryptionKey)
  const { payload } = await jwtVerify(plaintext, signingKey, {
    issuer,
    audience,
    algorithms: ['ES256'],
  })
  ctx.body = { sub: payload.sub }
})
listen(app)
