import { useEngine } from '../../../../browser/engines/apps.ts'
import { launchWebKit } from '../../../../browser/engines/webkit.ts'
import { testSealedBodies } from './sealed.ts'

useEngine(launchWebKit)
testSealedBodies()
