import { describe } from '@jest/globals'
import { survivesKills } from './kill-cycles.ts'

describe('on SQLite', () => {
  survivesKills('SQLite')
})
