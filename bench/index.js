// `npm run bench -- <timing | load>`
const [, , name] = process.argv
process.argv.splice(2, 1)
if (!['timing', 'load'].includes(name)) {
  console.error('Usage: npm run bench -- <timing [tries] | load [seconds]>')
  process.exit(2)
}
await import(`./${name}.js`)
