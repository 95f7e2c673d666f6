import { useEngine } from '../../../../browser/engines/apps.ts'
import { launchFirefox } from '../../../../browser/engines/firefox.ts'
import { testSealedBodies } from './sealed.ts'

useEngine(launchFirefox)
testSealedBodies()
