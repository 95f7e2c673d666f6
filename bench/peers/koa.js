// Koa alone: the ceiling.
import Koa from 'koa'
import { listen } from './listen.js'

const app = new Koa()
app.use((ctx) => {
  ctx.body = { status: 'ok' }
})
listen(app)
