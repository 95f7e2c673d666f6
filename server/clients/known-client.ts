import type { Client, Clients } from './clients.ts'
import { HttpError } from '../http/http-error.ts'

/**
 * The registered client that a request names.
 *
 * @throws HttpError 400 `invalid_client`.
 */
export async function knownClient(clients: Clients, id: string): Promise<Client> {
  const client = await clients.find(id)
  if (client === undefined) throw unknownClient()
  return client
}

export const unknownClient = (): HttpError =>
  new HttpError('invalid_client', 'client_id is not that of a registered client.')
