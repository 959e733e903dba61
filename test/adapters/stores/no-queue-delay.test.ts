import { expect, test } from 'vitest'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import { withoutQueueDelay } from '../../../adapters/stores/no-queue-delay.ts'
import { STORE_FILES, storeContract } from '../../contract/store.ts'

storeContract('withoutQueueDelay', async () => {
  const files = new Map(STORE_FILES)
  return {
    store: withoutQueueDelay(memoryStore({ files })),
    async replace(path, content) {
      files.set(path, content)
    },
  }
})

const CONFIG = `dynamic_batching { preferred_batch_size: 8 max_queue_delay_microseconds: 5000 }
sequence_batching { oldest { max_queue_delay_microseconds : 77 } }`

test('configs wait for no batch; nothing else is touched', async () => {
  const bytes = new TextEncoder().encode(CONFIG)
  const files = new Map(
    ['m/config.pbtxt', 'm/configs/fast.pbtxt', 'm/1/notes.txt'].map((path) => [path, bytes]),
  )
  const memory = memoryStore({ files })
  const pinning = { ...memory, pin: async () => memory }
  const store = withoutQueueDelay(pinning)
  const text = async (from: typeof store, path: string): Promise<string> =>
    new TextDecoder().decode(await from.read(path))
  const without = CONFIG.replace('5000', '0').replace('77', '0')
  expect(await text(store, 'm/config.pbtxt')).toBe(without)
  expect(await text(store, 'm/configs/fast.pbtxt')).toBe(without)
  expect(await text(store, 'm/1/notes.txt')).toBe(CONFIG)
  const pinned = await store.pin?.('m')
  expect(pinned && (await text(pinned, 'm/config.pbtxt'))).toBe(without)
})
