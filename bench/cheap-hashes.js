// Our server with the cheapest password hashes. Production hashes would hide what else a sign-in
// costs.
import { createPasswordHasher } from '../dist/server/passwords/password-hash.js'
import { loadConfig } from '../dist/server/config/config.js'
import { features } from '../dist/server/features.js'
import { createLogger } from '../dist/server/log/logger.js'
import { startServer } from '../dist/server/start.js'

const config = loadConfig(features)
const parameters = { memoryCost: 8, timeCost: 1, parallelism: 1 }
const server = await startServer(config, features, createLogger(config.logLevel), {
  passwords: createPasswordHasher({ parameters }),
})
process.once('SIGTERM', () => server.stop().then(() => process.exit(0)))
