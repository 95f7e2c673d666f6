import { test } from '@jest/globals'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { restoration } from './restoration.ts'

const expectRestored = restoration()

test('SQLite: sessions are restored, except those refreshed since the backup', async () => {
  await expectRestored(({ folder, command }) => ({
    backUp: () => command('database', 'backup', '--to', `file:${join(folder, 'backup/auth.db')}`),
    lose: () => writeFile(join(folder, 'data/auth.db'), 'damaged'),
    async restore() {
      const data = join(folder, 'data')
      // With auth.db-wal and auth.db-shm, which a crash leaves behind.
      await rm(data, { recursive: true })
      await mkdir(data, { mode: 0o700 })
      await cp(join(folder, 'backup/auth.db'), join(data, 'auth.db'))
    },
  }))
})
