import { shorten, toText } from '../token-parts.ts'
import { byId, element, onClick, say } from '../dom.ts'
import type { Page, Step } from '../page.ts'

const NOTE = 'note'

/** Step 9: a note that is stored encrypted on this device, and read again without a password. */
export function vaultStep({ auth, store }: Page): Step {
  const note = byId('note', HTMLTextAreaElement)
  const result = byId('vault-result', HTMLElement)
  const disk = byId('disk', HTMLElement)
  let shownFor: string | undefined

  onClick(byId('save', HTMLButtonElement), result, async () => {
    if (note.value.trim() === '') {
      say(result, '', 'Write something first.')
      return
    }
    const vault = await auth.vault()
    await vault.set(NOTE, note.value)
    const warning = store.warning ?? vault.warning
    if (warning !== undefined) {
      say(result, 'good', `Kept in memory, encrypted. ${warning}`)
      return
    }
    say(result, 'good', 'Kept. Reload this page: the note will still be here, without a password.')
    await showDisk()
  })
  byId('reload', HTMLButtonElement).addEventListener('click', () => {
    location.reload()
  })

  /** Reads the database directly, to show what anybody with this disk would see. */
  async function showDisk() {
    const sessionId = auth.session?.sessionId ?? ''
    const records = await readRecords(`jwe-auth-server vault ${sessionId}`)
    disk.replaceChildren(
      element('h3', {}, 'The same note, as stored on the disk'),
      element('pre', {}, records.map((bytes) => shorten(toText(bytes), 240)).join('\n')),
    )
  }

  return {
    async show({ claims }) {
      if (shownFor === claims.sid) return
      shownFor = claims.sid
      note.value = ''
      const kept = await (await auth.vault()).get(NOTE)
      // The user may have signed out in the meantime.
      if (typeof kept !== 'string' || auth.session?.sessionId !== claims.sid) return
      note.value = kept
      say(result, 'good', 'Read back from this device with the key that the server has just sent.')
      await showDisk()
    },
    clear() {
      shownFor = undefined
      note.value = ''
      disk.replaceChildren()
      say(result, '', '')
    },
  }
}

function readRecords(name: string): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name)
    // The session has just ended and its database is gone. Do not recreate it.
    opening.onupgradeneeded = () => opening.transaction?.abort()
    opening.onerror = () => {
      reject(opening.error ?? new Error('The database cannot be opened.'))
    }
    opening.onsuccess = () => {
      const database = opening.result
      const reading = database.transaction('records').objectStore('records').getAll()
      reading.onsuccess = () => {
        database.close()
        resolve(reading.result as Uint8Array[])
      }
    }
  })
}
