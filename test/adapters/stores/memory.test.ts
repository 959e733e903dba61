import { memoryStore } from '../../../adapters/stores/memory.ts'
import { STORE_FILES, storeContract } from '../../contract/store.ts'

storeContract('memoryStore', async () => {
  const files = new Map(STORE_FILES)
  return {
    store: memoryStore({ files }),
    async replace(path, content) {
      files.set(path, content)
    },
  }
})
