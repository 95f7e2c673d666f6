import type { ClientKey } from '../keys/client-key.ts'
import type { Recipient } from './jwe/seal-jwe.ts'
import { deriveProofKey } from './request-proof.ts'

interface Entry {
  readonly clientId: string
  readonly kid: string
  readonly key: Promise<CryptoKey>
}

/**
 * The keys of this client's proofs, one for each recipient, so that a proof costs one HMAC. They are in
 * memory only, and a recipient's new key replaces the last.
 */
export class ProofKeys {
  readonly #entries = new Map<string, Entry>()

  /**
   * The key of a client's proofs to a recipient. Concurrent calls share it, even while it is derived.
   *
   * @param name Identifies the recipient, whatever key it has.
   * @param loadKey Loads the client's key.
   * @throws DOMException as `deriveProofKey` does; whatever `loadKey` throws. The next call tries again.
   */
  find(
    name: string,
    recipient: Recipient,
    clientId: string,
    loadKey: () => Promise<ClientKey>,
  ): Promise<CryptoKey> {
    const { kid } = recipient
    const known = this.#entries.get(name)
    if (known?.kid === kid && known.clientId === clientId) return known.key
    const key = loadKey().then((loaded) => deriveProofKey(loaded, recipient))
    const entry = { clientId, kid, key }
    this.#entries.set(name, entry)
    key.catch(() => this.#entries.get(name) === entry && this.#entries.delete(name))
    return key
  }

  /** Forgets all keys, because the session has ended. */
  forget(): void {
    this.#entries.clear()
  }
}
