import { once } from 'node:events'
import { connect } from 'node:net'

/**
 * Sends requests over several connections, one at a time on each, as fast as answers arrive.
 *
 * Every request has its own token. All requests are prepared before the clock starts, so that
 * preparing them is not measured. Only the status and the length of an answer are parsed.
 *
 * @param options.requests `next(connection)` returns the bytes of the next request on a connection,
 *   or `undefined` if there are no more. The optional `took(connection, body)` gets each answer
 *   before the next request, outside the measured latency.
 * @returns The number of answers, how many had a status other than 200 and how many had 503, and
 *   the duration and the latencies in milliseconds.
 */
export async function drive(url, { connections, seconds, requests }) {
  const { hostname, port } = new URL(url)
  const latencies = []
  let [failed, unavailable] = [0, 0]
  const begin = performance.now()
  const end = begin + seconds * 1000
  await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      const socket = connect(Number(port), hostname)
      socket.setNoDelay(true)
      await once(socket, 'connect')
      const read = answers(socket)
      while (performance.now() < end) {
        const bytes = requests.next(index)
        if (bytes === undefined) break
        const start = performance.now()
        socket.write(bytes)
        const { status, body } = await read()
        latencies.push(performance.now() - start)
        if (status !== 200) failed += 1
        if (status === 503) unavailable += 1
        await requests.took?.(index, body)
      }
      socket.destroy()
    }),
  )
  const ms = performance.now() - begin
  return { count: latencies.length, failed, unavailable, ms, latencies }
}

/** Reads the answers on a connection, one after another. */
function answers(socket) {
  let received = Buffer.alloc(0)
  let waiting
  const settle = () => {
    const answer = waiting && parse(received)
    if (answer === undefined) return
    received = received.subarray(answer.length)
    waiting.resolve(answer)
    waiting = undefined
  }
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    settle()
  })
  const fail = (error) => waiting?.reject(error ?? new Error('The server closed the connection.'))
  socket.on('error', fail)
  socket.on('close', () => fail())
  return () =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject }
      settle()
    })
}

/** Parses an answer with a Content-Length or in chunks; `undefined` while it is incomplete. */
function parse(bytes) {
  const head = bytes.indexOf('\r\n\r\n')
  if (head === -1) return undefined
  const headers = bytes.toString('latin1', 0, head)
  const status = Number(headers.slice(9, 12))
  const start = head + 4
  const length = /\r\ncontent-length: (\d+)/i.exec(headers)?.[1]
  if (length !== undefined) {
    const end = start + Number(length)
    return bytes.length < end
      ? undefined
      : { status, body: bytes.subarray(start, end), length: end }
  }
  if (!/\r\ntransfer-encoding: chunked/i.test(headers)) return { status, length: start }
  const last = bytes.indexOf('0\r\n\r\n', start)
  return last === -1 ? undefined : { status, body: bytes.subarray(start, last), length: last + 5 }
}
