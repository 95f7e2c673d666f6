// Used by `npm run build`: the packages for apps and services, into dist/packages/.
import { writePackages } from './packages.ts'

writePackages()
