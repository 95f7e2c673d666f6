/** WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/): commands over a WebSocket, without events. */
import { once } from 'node:events'

export interface BiDi {
  /** @throws Error with the browser's message if it refuses. */
  send(method: string, params?: object): Promise<Record<string, string>>
  close(): void
}

interface Answer {
  readonly id?: number
  readonly type: 'success' | 'error' | 'event'
  readonly result: Record<string, string>
  readonly message: string
}

export async function connectBiDi(url: string): Promise<BiDi> {
  const socket = new WebSocket(url)
  await once(socket, 'open')
  const waiting = new Map<number, (answer: Answer) => void>()
  socket.addEventListener('message', ({ data }) => {
    const answer = JSON.parse(data as string) as Answer
    waiting.get(answer.id ?? NaN)?.(answer)
  })
  // Pending commands will not be answered any more.
  socket.addEventListener('close', () => {
    for (const answer of waiting.values()) {
      answer({ type: 'error', result: {}, message: 'The browser has closed the connection.' })
    }
  })
  let count = 0
  return {
    async send(method, params = {}) {
      const id = ++count
      const answer = await new Promise<Answer>((resolve) => {
        waiting.set(id, resolve)
        socket.send(JSON.stringify({ id, method, params }))
      })
      waiting.delete(id)
      if (answer.type === 'error') throw new Error(`${method}: ${answer.message}`)
      return answer.result
    },
    close: () => {
      socket.close()
    },
  }
}
