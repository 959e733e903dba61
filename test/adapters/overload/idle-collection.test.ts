import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { QUIET_LOOKS, startIdleCollection } from '../../../adapters/overload/idle-collection.ts'
import { createCollector } from '../../../adapters/platform/collector.ts'

const MB = 1024 * 1024

function watch() {
  let look = (): void => {}
  const state = {
    busy: false,
    /** Bytes. */
    live: 0,
    garbage: 0,
    collections: 0,
    ended: false,
    looks(count: number) {
      for (let i = 0; i < count; i++) look()
    },
  }
  const end = startIdleCollection({
    busy: () => state.busy,
    buffers: () => state.live + state.garbage,
    collect: () => {
      state.collections++
      state.garbage = 0
    },
    every: (_ms, run) => {
      look = run
      return () => {
        state.ended = true
      }
    },
  })
  return Object.assign(state, { end })
}

it('gives the buffers of large requests back once, when nothing is going on', () => {
  const one = watch()
  one.garbage = 200 * MB
  one.looks(1)
  expect(one.collections).toBe(0)
  one.looks(QUIET_LOOKS)
  expect([one.collections, one.garbage]).toEqual([1, 0])
  one.looks(50)
  expect(one.collections).toBe(1)
  one.garbage = 40 * MB
  one.looks(QUIET_LOOKS + 1)
  expect(one.collections).toBe(2)
  one.end()
  expect(one.ended).toBe(true)
})

it('stays away while there are requests or their buffers come and go', () => {
  const one = watch()
  one.busy = true
  one.garbage = 200 * MB
  one.looks(50)
  one.busy = false
  for (let i = 0; i < 50; i++) {
    one.garbage += 2 * MB
    one.looks(1)
  }
  expect(one.collections).toBe(0)
})

it('does not try again for buffers that are in use', () => {
  const one = watch()
  one.live = 500 * MB
  one.looks(50)
  expect(one.collections).toBe(1)
  one.garbage = 10 * MB
  one.looks(50)
  expect(one.collections).toBe(1)
  one.live = 0
  one.looks(QUIET_LOOKS + 1)
  one.garbage = 50 * MB
  one.looks(QUIET_LOOKS + 1)
  expect(one.collections).toBe(2)
})

it('collects what nobody holds', async () => {
  const collect = createCollector()
  const buffers = (): number => {
    collect()
    return process.memoryUsage().arrayBuffers
  }
  const before = buffers()
  const held = { bytes: new Uint8Array(300 * MB) }
  expect(buffers()).toBeGreaterThan(before + 200 * MB)
  held.bytes = new Uint8Array(0)
  await expect.poll(buffers).toBeLessThan(before + 100 * MB)
  expect(runInNewContext('typeof gc')).toBe('undefined')
})
