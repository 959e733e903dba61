import { closeSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { loadPosixMemory } from '../../../native/shm/library.ts'

const linux = process.platform === 'linux'
const collect = (globalThis as { gc?: () => void }).gc
const memory = linux ? loadPosixMemory() : undefined

/** A new object of `size` bytes, open. */
function create(name: string, size: number): number {
  const fd = openSync(`/dev/shm/${name}`, 'w+')
  ftruncateSync(fd, size)
  return fd
}

it.skipIf(!linux)('opens objects by their names', () => {
  closeSync(create(`native-${process.pid}`, 8))
  const fd = memory!.open(`/native-${process.pid}`)
  expect(fd).toBeGreaterThan(0)
  closeSync(fd)
  unlinkSync(`/dev/shm/native-${process.pid}`)
  expect(memory!.open(`/native-${process.pid}`)).toBe(-1)
})

it.skipIf(!linux)('shares bytes with the file from any offset', () => {
  const fd = create(`native-${process.pid}`, 200_000)
  unlinkSync(`/dev/shm/native-${process.pid}`)
  const view = memory!.map(fd, 70_001, 100)
  expect(view.length).toBe(100)
  writeSync(fd, Uint8Array.of(1, 2, 3), 0, 3, 70_001)
  expect([...view.subarray(0, 4)]).toEqual([1, 2, 3, 0])
  view[99] = 7
  const back = new Uint8Array(1)
  readSync(fd, back, 0, 1, 70_100)
  expect(back[0]).toBe(7)
  closeSync(fd)
  // The mapping does not need the file any more.
  expect([...view.subarray(0, 3)]).toEqual([1, 2, 3])
})

it.skipIf(!linux)('refuses what cannot be mapped', () => {
  expect(() => memory!.map(-1, 0, 100)).toThrow('cannot map 100 bytes at 0')
  for (const [offset, size] of [
    [0, 0],
    [0, -1],
    [-1, 8],
    [Number.MAX_SAFE_INTEGER, 8],
    [0, Number.NaN],
  ]) {
    expect(() => memory!.map(0, offset!, size!)).toThrow('cannot map')
  }
})

it.skipIf(!linux || collect === undefined)(
  'gives a mapping back when no view on it is left, and not before',
  async () => {
    const size = 1 << 20
    const fd = create(`native-${process.pid}`, size)
    unlinkSync(`/dev/shm/native-${process.pid}`)
    writeSync(fd, new Uint8Array(size).fill(3))
    const kept: Uint8Array[] = []
    // One of its own: what other tests mapped may be collected at any time.
    const memory = loadPosixMemory()
    // A function of its own: this one's frame would keep the last view.
    const useMapping = (i: number): void => {
      const view = memory.map(fd, 0, size)
      expect(view[i]).toBe(3)
      if (i % 500 === 0) kept.push(view.subarray(i, i + 10))
    }
    // Inner views alone hold their mappings while thousands of others come and go.
    for (let i = 0; i < 2000; i++) {
      useMapping(i)
      if (i % 50 === 0) {
        collect!()
        await turn()
        for (const one of kept) expect(one[9]).toBe(3)
      }
    }
    closeSync(fd)
    for (let i = 0; i < 100 && memory!.mapped > kept.length; i++) {
      collect!()
      await turn()
    }
    expect(memory!.mapped).toBe(kept.length)
    for (const one of kept) expect([...one]).toEqual(new Array(10).fill(3))
  },
)
