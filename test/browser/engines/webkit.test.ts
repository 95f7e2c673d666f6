import { testAlgorithms } from './algorithms.ts'
import { useEngine } from './apps.ts'
import { launchWebKit } from './webkit.ts'
import { testMainPath } from './main-path.ts'

useEngine(launchWebKit)
testMainPath()
testAlgorithms()
