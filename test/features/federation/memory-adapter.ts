import type { AdapterFactory, AdapterPayload } from 'oidc-provider'

const done = Promise.resolve()

/** An OpenID provider's store of sessions, codes and grants. Nothing in it expires. */
export function createMemoryAdapter(): AdapterFactory {
  const stored = new Map<string, AdapterPayload>()
  return (model) => {
    const key = (id: string): string => `${model} ${id}`
    const put = (id: string, payload: AdapterPayload): Promise<void> => {
      stored.set(key(id), payload)
      return done
    }
    return {
      upsert: put,
      find: (id) => Promise.resolve(stored.get(key(id))),
      findByUid: (uid) => Promise.resolve([...stored.values()].find((each) => each.uid === uid)),
      findByUserCode: () => done,
      consume: (id) => put(id, { ...stored.get(key(id)), consumed: Math.floor(Date.now() / 1000) }),
      destroy(id) {
        stored.delete(key(id))
        return done
      },
      revokeByGrantId(grantId) {
        for (const [name, each] of stored) if (each.grantId === grantId) stored.delete(name)
        return done
      },
    }
  }
}
