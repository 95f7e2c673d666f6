import { existsSync } from 'node:fs'
import { homedir } from 'node:os'

const MAC = [
  'Chromium.app/Contents/MacOS/Chromium',
  'Google Chrome.app/Contents/MacOS/Google Chrome',
]
const USUAL = [
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/snap/bin/chromium'],
  ...['/usr/bin/google-chrome', '/usr/bin/google-chrome-stable', '/opt/google/chrome/chrome'],
  ...MAC.flatMap((app) => [`/Applications/${app}`, `${homedir()}/Applications/${app}`]),
]

/** The path of a Chromium or Chrome, if there is one. One that is asked for is not replaced by another. */
export function findChromium(asked = process.env.CHROMIUM_PATH) {
  return (asked ? [asked] : USUAL).find((path) => existsSync(path))
}
