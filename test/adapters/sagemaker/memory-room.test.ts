import { expect, test } from 'vitest'
import { archiveBytes } from '../../../adapters/sagemaker/archive-bytes.ts'
import { memoryRoom } from '../../../adapters/sagemaker/memory-room.ts'
import { memoryStore } from '../../../adapters/stores/memory.ts'

const files = new Map([
  ['model/m/config.pbtxt', new Uint8Array(10)],
  ['model/m/1/model.onnx', new Uint8Array(80)],
  ['other/x', new Uint8Array(1000)],
])
const archive = { store: memoryStore({ files }), folder: 'model' }

test('a model takes what its files do', async () => {
  expect(await archiveBytes(archive)).toBe(90)
})

test('loads under way keep their memory, and give it back when they have ended', async () => {
  const room = memoryRoom({ limit: 300, resident: () => 100 })
  const leave = await room(archive)
  const second = await room(archive)
  await expect(room(archive)).rejects.toThrow(
    'out of memory: the model takes 90 bytes or more, 280 of 300 are in use',
  )
  leave()
  second()
  ;(await room(archive))()
})
