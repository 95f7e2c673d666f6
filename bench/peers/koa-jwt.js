// A plain ES256 JWT, checked by the usual middleware.
import Koa from 'koa'
import jwt from 'koa-jwt'
import { audience, issuer, listen, signingKey } from './listen.js'

const secret = signingKey.export({ type: 'spki', format: 'pem' })
const app = new Koa()
app.use(jwt({ secret, issuer, audience, algorithms: ['ES256'] }))
app.use((ctx) => {
  ctx.body = { sub: ctx.state.user.sub }
})
listen(app)
