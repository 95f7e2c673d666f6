import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

const inPath = (...names) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
const inApplications = (...apps) =>
  apps.flatMap((app) => [`/Applications/${app}`, `${homedir()}/Applications/${app}`])

/** The browser engines: the variable with the program's path, its usual places, and what to install. */
export const ENGINES = [
  {
    engine: 'chromium',
    variable: 'CHROMIUM_PATH',
    usual: [
      ...inPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'),
      '/snap/bin/chromium',
      '/opt/google/chrome/chrome',
      ...inApplications(
        'Chromium.app/Contents/MacOS/Chromium',
        'Google Chrome.app/Contents/MacOS/Google Chrome',
      ),
    ],
    packages: 'chromium',
  },
  {
    engine: 'firefox',
    variable: 'FIREFOX_PATH',
    usual: [
      ...inPath('firefox-esr', 'firefox'),
      ...inApplications('Firefox.app/Contents/MacOS/firefox'),
    ],
    packages: 'firefox-esr',
  },
  {
    engine: 'webkit',
    variable: 'WEBKIT_DRIVER_PATH',
    usual: inPath('WebKitWebDriver'),
    // A window without a screen.
    alsoNeeds: 'Xvfb',
    packages: 'webkit2gtk-driver xvfb',
  },
]

/** The path of an engine's program, if it exists. A path in the variable is never replaced by another. */
export function findBrowser({ variable, usual, alsoNeeds }) {
  if (alsoNeeds !== undefined && !inPath(alsoNeeds).some((path) => existsSync(path)))
    return undefined
  const asked = process.env[variable]
  return (asked ? [asked] : usual).find((path) => existsSync(path))
}
