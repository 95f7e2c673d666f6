import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { JSONWebKeySet } from 'jose'
import Koa from 'koa'
import {
  createHttpServer,
  createLogger,
  createServiceAuth,
  errors,
  readBody,
  requestId,
  type HttpServer,
  type RequestState,
} from '../../server/resource-server/index.ts'
import { ISSUER, sendRaw, setUp, tearDown, type Scene } from './fixtures.ts'
import { createTokenMaker } from './token-maker.ts'

let scene: Scene
let http: HttpServer
let url: string
let make: ReturnType<typeof createTokenMaker>['make']
beforeAll(async () => {
  scene = await setUp()
  const { clock, line } = scene
  const logger = createLogger('fatal')
  const app = new Koa<RequestState>()
  http = createHttpServer((request, response) => void app.callback()(request, response))
  url = `http://localhost:${await http.listen(0, '127.0.0.1')}`
  const auth = await createServiceAuth({ issuer: ISSUER, url, logger, clock, fetch: line.fetch })
  app.use(requestId(logger)).use(errors()).use(auth.jwks()).use(readBody())
  app.use((ctx, next) => {
    // As koa-mount does for an app that is mounted at /admin.
    ctx.path = ctx.path.replace(/^\/admin/, '')
    return next()
  })
  app.use(auth.bearer())
  app.use((ctx) => {
    ctx.body = ctx.path
  })
  const jwks = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as JSONWebKeySet
  make = createTokenMaker(scene, url, jwks).make
})
afterAll(async () => {
  await http.stop(0)
  await tearDown(scene)
})

const statusOf = async (path: string, boundTo: string) =>
  (
    await sendRaw({
      url: url + path,
      method: 'GET',
      body: '',
      token: await make({ path: boundTo }),
    })
  ).status

test('below a mounted app, a token is bound to the URL that was sent', async () => {
  expect(await statusOf('/admin/notes', '/admin/notes')).toBe(200)
  expect(await statusOf('/admin/notes', '/notes')).toBe(401)
})
