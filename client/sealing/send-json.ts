import { BINDING_TOLERANCE } from '../../protocol/binding.ts'
import { JOSE } from '../../protocol/sealed-bodies.ts'
import { utf8, type Bytes } from '../bytes.ts'
import type { ClientContext } from '../context.ts'
import type { ReadingKey } from '../discovery/reader.ts'
import { dateOf, json, mediaTypeOf, send, textOf } from '../http.ts'
import { parseObject } from '../json.ts'
import type { ClientKey } from '../keys/client-key.ts'
import { register } from '../registration.ts'
import { sendCorrected } from '../send-corrected.ts'
import { openAnswer } from './open-answer.ts'
import { isSealing } from './policy.ts'
import { sealBody } from './seal-body.ts'

/**
 * Sends JSON to the server without an access token: sealed, and with a sealed answer, if the server
 * offers that.
 *
 * @param client The registered key, for which the answer is sealed; registered now by default.
 * @throws AuthError `sealing_not_offered`, `answer_not_sealed`, `answer_invalid`, `network`
 */
export async function sendJson(
  context: ClientContext,
  path: string,
  body: object,
  method: 'POST' | 'PUT',
  client?: ClientKey,
): Promise<Response> {
  const { server, fetch } = context
  const url = server.baseUrl + path
  if (!(await isSealing(context))) return send(fetch, url, json(body, method))
  const key = client ?? (await register(context)).key
  // Tells the server whom the answer is for.
  const content = utf8(JSON.stringify({ ...body, client_id: key.id }))
  return sendSealed(context, path, content, method, key)
}

async function sendSealed(
  context: ClientContext,
  path: string,
  content: Bytes,
  method: string,
  key: ClientKey,
): Promise<Response> {
  const { server, fetch, agreements, clock } = context

  async function attempt(used: ReadingKey, now: () => number) {
    const asked = { jti: crypto.randomUUID(), sentAt: now() }
    const bound = { method, url: server.name + path, jti: asked.jti, now: asked.sentAt }
    const sealed = await sealBody(agreements, content, used, bound)
    const headers = { accept: JOSE, 'content-type': JOSE }
    const response = await send(fetch, server.baseUrl + path, { method, headers, body: sealed })
    return { response, asked: { ...asked, now: now() } }
  }

  const { response, asked } = await sendCorrected({
    reader: server,
    tolerance: CLOCK_TOLERANCE,
    send: attempt,
    now: () => clock() / 1000,
    dateOfRefusal: async (answer) =>
      (await isRefused(answer.response)) ? dateOf(answer.response) : undefined,
  })
  return openAnswer(context, response, { ...asked, loadKey: () => Promise.resolve(key) })
}

/** Seconds that two clocks may differ without a retry. */
const CLOCK_TOLERANCE = BINDING_TOLERANCE / 2

/** Whether the server could not open the body, and so does not know whom to seal the answer for. */
async function isRefused(response: Response): Promise<boolean> {
  if (response.status !== 400 || mediaTypeOf(response) === JOSE) return false
  return parseObject(await textOf(response.clone()))?.['error'] === 'invalid_request'
}
