import { useEngine } from '../../../../browser/engines/apps.ts'
import { launchChromium } from '../../../../browser/engines/chromium.ts'
import { testSealedBodies } from './sealed.ts'

useEngine(launchChromium)
testSealedBodies()
