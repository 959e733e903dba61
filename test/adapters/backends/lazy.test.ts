import { expect, test } from 'vitest'
import { lazyBackend } from '../../../adapters/backends/lazy.ts'
import type { Backend, BackendModel, ModelSource } from '../../../core/backend/types.ts'

const SOURCE = { name: 'm' } as ModelSource
const MODEL = {} as BackendModel

function counting(failures = 0): { readonly backend: Backend; readonly seen: string[] } {
  const seen: string[] = []
  const open = async (): Promise<Backend> => {
    seen.push('open')
    if (seen.filter((what) => what === 'open').length <= failures) throw new Error('not now')
    return {
      name: 'x',
      defaultModelFilename: 'model.x',
      load: async () => {
        seen.push('load')
        return MODEL
      },
      close: async () => {
        seen.push('close')
      },
    }
  }
  return { backend: lazyBackend({ name: 'x', defaultModelFilename: 'model.x', open }), seen }
}

test('is opened once, by its first model', async () => {
  const { backend, seen } = counting()
  expect(seen).toEqual([])
  expect(await Promise.all([backend.load(SOURCE), backend.load(SOURCE)])).toEqual([MODEL, MODEL])
  expect(seen).toEqual(['open', 'load', 'load'])
})

test('a model after one that it failed to open for opens it again', async () => {
  const { backend, seen } = counting(1)
  await expect(backend.load(SOURCE)).rejects.toThrow('not now')
  expect(await backend.load(SOURCE)).toBe(MODEL)
  expect(seen).toEqual(['open', 'open', 'load'])
})

test('closes what was opened and nothing else', async () => {
  const { backend, seen } = counting()
  await backend.close?.()
  expect(seen).toEqual([])
  await expect(backend.load(SOURCE)).rejects.toThrow('the x backend is closed')

  const used = counting()
  await used.backend.load(SOURCE)
  await used.backend.close?.()
  expect(used.seen).toEqual(['open', 'load', 'close'])
})
