import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BlockList } from '../../../../adapters/backends/python/block-list.ts'
import {
  FrameReader,
  frameOf,
  MAX_FRAME_BYTES,
} from '../../../../adapters/backends/python/frames.ts'
import { ReceivedMemory } from '../../../../adapters/backends/python/received-memory.ts'
import { SentMemory } from '../../../../adapters/backends/python/sent-memory.ts'
import { loadMemoryFiles } from '../../../../native/memfd/library.ts'

const LIMITS = { initial: 65_536, growth: 65_536, most: 1_048_576 }

describe('blocks of a file', () => {
  test('never overlap, never reach across a seam, and all room is one again when all are free', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 9_000 }), fc.constant(0)), { maxLength: 80 }),
        (steps) => {
          const list = new BlockList()
          list.addSegment(0, 65_536)
          list.addSegment(65_536, 131_072)
          const held: { at: number; end: number }[] = []
          for (const step of steps) {
            if (step === 0) {
              const gone = held.shift()
              if (gone !== undefined) expect(list.free(gone.at)).toBe(true)
              continue
            }
            const at = list.take(step)
            if (at < 0) continue
            const end = at + Math.ceil(step / 64) * 64
            expect(at % 64).toBe(0)
            expect(Math.floor(at / 65_536)).toBe(Math.floor((end - 1) / 65_536))
            for (const other of held) expect(at >= other.end || end <= other.at).toBe(true)
            held.push({ at, end })
          }
          for (const { at } of held) expect(list.free(at)).toBe(true)
          expect(list.count).toBe(0)
          expect([list.take(65_536), list.take(65_536)].sort((a, b) => a - b)).toEqual([0, 65_536])
        },
      ),
    )
  })

  test('what is not a block cannot be freed', () => {
    const list = new BlockList()
    list.addSegment(0, 65_536)
    const at = list.take(100)
    expect(list.free(at + 64)).toBe(false)
    expect(list.free(at)).toBe(true)
    expect(list.free(at)).toBe(false)
  })
})

describe('frames', () => {
  test('arrive whole however they were cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1, maxLength: 30 }),
        (texts, cuts) => {
          const stream = Buffer.concat(texts.map(frameOf))
          const got: string[] = []
          const reader = new FrameReader((text) => got.push(text))
          for (let at = 0, i = 0; at < stream.length; i++) {
            const end = at + (cuts[i % cuts.length] as number)
            reader.push(stream.subarray(at, end))
            at = end
          }
          expect(got).toEqual(texts)
        },
      ),
    )
  })

  test('that are too long are refused before anything is kept for them', () => {
    const head = Buffer.alloc(4)
    head.writeUInt32LE(MAX_FRAME_BYTES + 1)
    expect(() => new FrameReader(() => {}).push(head)).toThrow('is too long')
  })
})

describe('memory files', () => {
  const files = loadMemoryFiles()

  test('grow up to their limit, and say how large they became', () => {
    const memory = new SentMemory(files, files.create(LIMITS.initial), LIMITS)
    const first = memory.take(65_536)
    expect(memory.takeGrown()).toBe(0)
    const second = memory.take(100_000)
    expect(second).toBe(65_536)
    expect(memory.takeGrown()).toBe(65_536 + 131_072)
    expect(memory.takeGrown()).toBe(0)
    memory.write(first, new Uint8Array([1, 2, 3]))
    expect(() => memory.take(1_000_000)).toThrow('shm-max-byte-size is 1048576')
    memory.free(first)
    memory.free(second)
    expect(memory.count).toBe(0)
    memory.close()
    expect(() => memory.take(500_000)).toThrow('has ended')
  })

  test('blocks that are small are given back at once, large ones when nobody reads them', async () => {
    const freed: number[] = []
    const fd = files.create(1_048_576)
    const limits = { ...LIMITS, initial: 1_048_576 }
    const memory = new ReceivedMemory({ files, fd, limits, free: (at) => freed.push(at) })
    expect(memory.read(64, 64, 128)).toMatchObject({ base: 64, release: null })
    expect(freed).toEqual([64])
    const large = memory.read(65_536, 65_536, 300_000)
    expect(freed).toEqual([64])
    large.release?.()
    large.release?.()
    expect(freed).toEqual([64, 65_536])
    memory.close()
  })

  test('views outlive the worker, and nothing stays mapped once they are gone', async () => {
    const files = loadMemoryFiles()
    const hold = (): Uint8Array => {
      const fd = files.create(1_048_576)
      const limits = { ...LIMITS, initial: 1_048_576 }
      const memory = new ReceivedMemory({ files, fd, limits, free: () => {} })
      const { bytes } = memory.read(0, 0, 500_000)
      memory.close()
      return bytes
    }
    const collect = async (): Promise<void> => {
      const { gc } = globalThis as { gc?: () => void }
      gc?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    let held: Uint8Array | null = hold()
    for (let i = 0; i < 5; i++) await collect()
    expect(held.reduce((sum, byte) => sum + byte, 0)).toBe(0)
    expect(files.mapped).toBe(1)
    held = null
    while (files.mapped > 0) await collect()
  })
})
