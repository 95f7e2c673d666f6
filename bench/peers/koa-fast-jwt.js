// A plain ES256 JWT, checked by fast-jwt. FAST_JWT_CACHE=1 turns on its cache.
import { createVerifier } from 'fast-jwt'
import Koa from 'koa'
import { audience, issuer, listen, signingKey } from './listen.js'

const verify = createVerifier({
  key: signingKey.export({ type: 'spki', format: 'pem' }),
  algorithms: ['ES256'],
  allowedIss: issuer,
  allowedAud: audience,
  cache: process.env.FAST_JWT_CACHE === '1',
})
const app = new Koa()
app.use((ctx) => {
  const { sub } = verify(ctx.get('Authorization').slice('Bearer '.length))
  ctx.body = { sub }
})
listen(app)
