import { expect, test } from 'vitest'
import type { BackendModel, Instance } from '../../../core/backend/types.ts'
import {
  backendOf,
  fixture,
  LIBRARY,
  parameters,
} from '../../adapters/backends/openvino/fixtures.ts'
import { execute, floats, floatsOf, outputOf, requestOf } from '../../contract/backend.ts'

const SECONDS = Number(process.env['NEREID_STRESS_SECONDS'] ?? 3)
/** Growth of resident memory after the first third that is taken for noise of the allocator. */
const ALLOWED_GROWTH = 32 * 1024 * 1024

const gc = (globalThis as { gc?: () => void }).gc

test.skipIf(gc === undefined || LIBRARY === undefined)(
  `collections, cancellations, loads and unloads under load change no answer and keep no memory, ${SECONDS} s (skipped without --expose-gc and OpenVINO)`,
  async () => {
    const backend = backendOf('never')
    const config = { max_batch_size: 0, ...parameters({ NUM_STREAMS: '2' }) }
    const until = performance.now() + SECONDS * 1000
    const running = () => performance.now() < until
    let runs = 0
    let swaps = 0
    let stopped = 0
    let base = 0

    const serve = async (instance: Instance, seed: number) => {
      for (let i = 0; running(); i++) {
        // Small, copied and borrowed sizes in turn; nothing outside the call holds the buffers.
        const size = [1, 7, 2_000, 20_000][i % 4] as number
        const value = seed * 1_000 + (i % 997)
        const input = floats(new Array(size).fill(value))
        const answer = await execute(instance, [
          requestOf([{ name: 'X', datatype: 'FP32', shape: [1, size], data: input }]),
        ])
        const values = floatsOf(outputOf(answer, 'Y'))
        if (values.length !== size || values.some((got) => got !== value)) {
          throw new Error(`run ${i} of ${seed}: expected ${size} × ${value}`)
        }
        // Every other large output is dropped without release: the collector must cope.
        if (!(answer instanceof Error) && i % 2 === 0) answer.release?.()
        runs++
      }
    }
    const open = async (name: string): Promise<[BackendModel, Instance]> => {
      const model = await backend.load(fixture(name, config))
      const placement = { name: 'stress_0', kind: 'KIND_CPU', device: 0 } as const
      return [model, await model.instance(placement, config)]
    }
    const swap = async () => {
      while (running()) {
        const [model, instance] = await open('identity_fp32')
        const once = execute(instance, [
          requestOf([{ name: 'X', datatype: 'FP32', shape: [1, 2], data: floats([swaps, 1]) }]),
        ])
        await model.close()
        expect(floatsOf(outputOf(await once, 'Y'))).toEqual([swaps, 1])
        swaps++
      }
    }
    const cancel = async (instance: Instance) => {
      while (running()) {
        const size = 400
        const data = new Uint8Array(size * size * 4)
        const answering = execute(instance, [
          requestOf([{ name: 'X', datatype: 'FP32', shape: [size, size], data }]),
        ])
        await new Promise((resolve) => setTimeout(resolve, stopped % 5))
        instance.terminate?.()
        const answer = await answering
        if (answer instanceof Error) expect(answer.code).toBe('CANCELLED')
        stopped++
      }
    }
    const collect = async () => {
      const third = performance.now() + (SECONDS * 1000) / 3
      while (running()) {
        gc?.()
        if (base === 0 && performance.now() > third) base = process.memoryUsage.rss()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }

    const opened = await Promise.all([
      open('identity_fp32'),
      open('identity_fp32'),
      open('identity_fp32'),
      open('slow'),
    ])
    await Promise.all([
      ...opened.slice(0, 3).map(([, instance], i) => serve(instance, i + 1)),
      cancel((opened[3] as [BackendModel, Instance])[1]),
      swap(),
      collect(),
    ])
    gc?.()
    const grown = base === 0 ? 0 : process.memoryUsage.rss() - base
    for (const [model] of opened) await model.close()
    await backend.close?.()
    expect(Math.min(runs, swaps, stopped)).toBeGreaterThan(0)
    expect(grown).toBeLessThan(ALLOWED_GROWTH)
    console.info(
      `stress: ${runs} runs, ${swaps} swaps, ${stopped} stopped, ${(grown / 1048576).toFixed(1)} MB grown`,
    )
  },
)
