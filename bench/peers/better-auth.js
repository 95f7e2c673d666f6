// better-auth's get-session, from its database, or with BETTER_AUTH_COOKIE=1 from its encrypted
// cookie. The database uses the same SQLite driver as ours.
import { createServer } from 'node:http'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import Libsql from 'libsql'
import { libsqlDialect } from '../../dist/server/database/libsql-dialect.js'
import { listen } from './listen.js'

const sqlite = new Libsql(process.env.BENCH_DATABASE)
sqlite.pragma('journal_mode = WAL')
sqlite.pragma('synchronous = FULL')
const cookieCache = { enabled: true, maxAge: 3600, strategy: 'jwe' }
const auth = betterAuth({
  baseURL: `http://127.0.0.1:${process.env.PORT}`,
  secret: process.env.BENCH_SECRET,
  database: { dialect: libsqlDialect(sqlite), type: 'sqlite' },
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  session: process.env.BETTER_AUTH_COOKIE === '1' ? { cookieCache } : {},
  telemetry: { enabled: false },
})
const { runMigrations } = await getMigrations(auth.options)
await runMigrations()
listen(createServer(toNodeHandler(auth)))
