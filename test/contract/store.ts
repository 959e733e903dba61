import { describe, expect, it } from 'vitest'
import type { ModelStore } from '../../core/platform.ts'

/** What the suite's repository holds. */
export const STORE_FILES: ReadonlyMap<string, Uint8Array> = new Map([
  ['plain.txt', bytes('not a model')],
  ['simple/config.pbtxt', bytes('name: "simple"')],
  ['simple/1/model.onnx', bytes('one')],
  ['simple/2/model.onnx', bytes('two')],
  ['simple/2/data/weights.bin', bytes('')],
  ['simpler/config.pbtxt', bytes('')],
])

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Every ModelStore must pass this. `create` makes a store over {@link STORE_FILES}; `replace` changes one file of it. */
export function storeContract(
  name: string,
  create: () => Promise<{
    readonly store: ModelStore
    replace(path: string, content: Uint8Array): Promise<void>
  }>,
): void {
  describe(`${name} as a model store`, () => {
    it('lists the children of the root and of a folder, without their children', async () => {
      const { store } = await create()
      const children = async (path: string) =>
        (await store.list(path)).map((one) => `${one.kind} ${one.path}`).sort()
      expect(await children('')).toEqual([
        'directory simple',
        'directory simpler',
        'file plain.txt',
      ])
      expect(await children('simple')).toEqual([
        'directory simple/1',
        'directory simple/2',
        'file simple/config.pbtxt',
      ])
      expect(await children('simple/2')).toEqual([
        'directory simple/2/data',
        'file simple/2/model.onnx',
      ])
    })

    it('lists nothing where there is no folder', async () => {
      const { store } = await create()
      expect(await store.list('nope')).toEqual([])
      expect(await store.list('plain.txt')).toEqual([])
    })

    it('reads whole files, empty ones too', async () => {
      const { store } = await create()
      expect(new TextDecoder().decode(await store.read('simple/2/model.onnx'))).toBe('two')
      expect((await store.read('simple/2/data/weights.bin')).length).toBe(0)
    })

    it('says NOT_FOUND for a file that is not there and for a folder', async () => {
      const { store } = await create()
      await expect(store.read('simple/3/model.onnx')).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await expect(store.read('simple')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })

    it('tells files, folders and nothing apart', async () => {
      const { store } = await create()
      expect(await store.stat('')).toMatchObject({ kind: 'directory' })
      expect(await store.stat('simple/2')).toMatchObject({ kind: 'directory' })
      expect(await store.stat('simple/2/model.onnx')).toMatchObject({ kind: 'file', size: 3 })
      expect(await store.stat('simple/3')).toBeUndefined()
      expect(await store.stat('simpl')).toBeUndefined()
      expect(await store.stat('plain.txt/below')).toBeUndefined()
    })

    it('gives a file the same tag until it changes', async () => {
      const { store, replace } = await create()
      const before = await store.stat('simple/1/model.onnx')
      expect((await store.stat('simple/1/model.onnx'))?.tag).toBe(before?.tag)
      await replace('simple/1/model.onnx', bytes('other'))
      expect((await store.stat('simple/1/model.onnx'))?.tag).not.toBe(before?.tag)
      expect(new TextDecoder().decode(await store.read('simple/1/model.onnx'))).toBe('other')
    })
  })
}
