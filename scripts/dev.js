// For `npm run dev`: the server from its sources, started again on every change, and the page,
// bundled again on every change.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { watch } from './bundle.js'

process.chdir(join(import.meta.dirname, '..'))
await watch('dist/browser')
const tsx = ['node_modules/tsx/dist/cli.mjs', 'watch', '--clear-screen=false', 'server/index.ts']
const server = spawn(process.execPath, tsx, { stdio: 'inherit' })
server.once('exit', (code) => process.exit(code ?? 1))
// A terminal sends Ctrl-C to the server too: wait for it to finish.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => server.kill('SIGTERM'))
