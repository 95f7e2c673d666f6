// A plain ES256 JWT, checked by jose.
import { jwtVerify } from 'jose'
import Koa from 'koa'
import { audience, issuer, listen, signingKey } from './listen.js'

const app = new Koa()
app.use(async (ctx) => {
  const token = ctx.get('Authorization').slice('Bearer '.length)
  const { payload } = await jwtVerify(token, signingKey, {
    issuer,
    audience,
    algorithms: ['ES256'],
  })
  ctx.body = { sub: payload.sub }
})
listen(app)
