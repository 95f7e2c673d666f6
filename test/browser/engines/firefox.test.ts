import { testAlgorithms } from './algorithms.ts'
import { useEngine } from './apps.ts'
import { launchFirefox } from './firefox.ts'
import { testMainPath } from './main-path.ts'

useEngine(launchFirefox)
testMainPath()
testAlgorithms()
