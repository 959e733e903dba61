import type { ModelStore } from '../../core/platform.ts'

const CONFIG = /\.pbtxt$/
const DELAY = /(\bmax_queue_delay_microseconds\s*:?\s*)\d+/g

/**
 * `store`, with configs that wait for no batch: for hosts that give a process one request at a time, where such a wait
 * could only ever be in vain. Everything else is as it is there.
 */
export function withoutQueueDelay(store: ModelStore): ModelStore {
  const { pin, localPath, localise } = store
  return {
    root: store.root,
    list: (path, signal) => store.list(path, signal),
    stat: (path, signal) => store.stat(path, signal),
    read: async (path, signal) => {
      const bytes = await store.read(path, signal)
      return CONFIG.test(path) ? withoutDelay(bytes) : bytes
    },
    ...(localPath === undefined ? {} : { localPath: localPath.bind(store) }),
    ...(localise === undefined ? {} : { localise: localise.bind(store) }),
    ...(pin === undefined
      ? {}
      : {
          pin: async (path, signal) => withoutQueueDelay(await pin.call(store, path, signal)),
        }),
  }
}

function withoutDelay(bytes: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(bytes)
  const changed = text.replace(DELAY, '$10')
  return changed === text ? bytes : new TextEncoder().encode(changed)
}
