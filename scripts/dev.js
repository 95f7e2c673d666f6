// `npm run dev`: runs the server from its sources and bundles its pages, and does both again on
// every change.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { watch } from './bundle.js'

process.chdir(join(import.meta.dirname, '..'))
await watch('dist/browser')
const tsx = ['node_modules/tsx/dist/cli.mjs', 'watch', '--clear-screen=false', 'server/index.ts']
const server = spawn(process.execPath, tsx, { stdio: 'inherit' })
server.once('exit', (code) => process.exit(code ?? 1))
// A terminal sends Ctrl-C to the server too, so only wait for it to finish.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => server.kill('SIGTERM'))
