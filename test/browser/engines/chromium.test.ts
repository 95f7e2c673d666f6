import { testAlgorithms } from './algorithms.ts'
import { useEngine } from './apps.ts'
import { launchChromium } from './chromium.ts'
import { testMainPath } from './main-path.ts'

useEngine(launchChromium)
testMainPath()
testAlgorithms()
