import { afterAll, expect, test } from 'vitest'
import { neuronBackend } from '../../../adapters/backends/neuron.ts'
import type { BackendModel, Instance, Placement } from '../../../core/backend/types.ts'
import { identityFiles, neuronSource } from '../../adapters/backends/neuron-fixtures.ts'
import { realClock } from '../../adapters/backends/onnx-fixtures.ts'
import { execute, floats, floatsOf, outputOf, requestOf } from '../../contract/backend.ts'
import { compileStandIn, NO_STANDIN } from './standin.ts'

const SECONDS = Number(process.env['NEREID_STRESS_SECONDS'] ?? 3)
/** Growth of resident memory after the first third that is taken for noise of the allocator. */
const ALLOWED_GROWTH = 24 * 1024 * 1024
const CORES = 4

const gc = (globalThis as { gc?: () => void }).gc
const missing = NO_STANDIN ?? (gc === undefined ? 'no --expose-gc' : undefined)
const standIn = missing === undefined ? compileStandIn() : undefined
afterAll(() => standIn?.remove())

test.skipIf(standIn === undefined)(
  `collections, loads and unloads under load change no answer, break no rule of the runtime and keep no memory, ${SECONDS} s${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  async () => {
    process.env['STANDIN_CORES'] = String(CORES)
    const backend = await neuronBackend({ clock: realClock, libraryPath: standIn?.path })
    const config = { max_batch_size: 4 }
    const sizes = [2, 700, 20_000]
    const files = identityFiles(
      'FP32',
      sizes.map((size) => [4, size]),
    )
    const until = performance.now() + SECONDS * 1000
    const running = () => performance.now() < until
    let runs = 0
    let swaps = 0
    let base = 0

    const input = (rows: number, size: number, value: number) =>
      requestOf(
        [
          {
            name: 'X',
            datatype: 'FP32',
            shape: [rows, size],
            data: floats(new Array(rows * size).fill(value)),
          },
        ],
        rows,
      )
    const serve = async (instance: Instance, seed: number) => {
      for (let i = 0; running(); i++) {
        // Small, copied and borrowed sizes in turn, batches of one and two requests; nothing outside the call holds the buffers.
        const size = sizes[i % sizes.length] as number
        const value = seed * 1_000 + (i % 997)
        const requests = [input(1 + (i % 3), size, value)]
        if (i % 4 === 0) requests.push(input(1, size, value))
        const answer = await execute(instance, requests)
        const values = floatsOf(outputOf(answer, 'Y'))
        const expected = requests.reduce((rows, one) => rows + one.batchSize, 0) * size
        if (values.length !== expected || values.some((got) => got !== value)) {
          throw new Error(`run ${i} of ${seed}: expected ${expected} × ${value}`)
        }
        // Every other output is dropped without release: the collector must cope.
        if (!(answer instanceof Error) && i % 2 === 0) answer.release?.()
        runs++
      }
    }
    const open = async (core: number): Promise<[BackendModel, Instance]> => {
      const model = await backend.load(neuronSource(files, config))
      const placement: Placement = { name: `s_${core}`, kind: 'KIND_GPU', device: core }
      return [model, await model.instance(placement, config)]
    }
    const swap = async (core: number) => {
      while (running()) {
        const [model, instance] = await open(core)
        const once = execute(instance, [input(1, 2, swaps)])
        await model.close()
        expect(floatsOf(outputOf(await once, 'Y'))).toHaveLength(2)
        swaps++
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

    const opened = await Promise.all(Array.from({ length: 6 }, (_, i) => open(i % CORES)))
    await Promise.all([
      ...opened.map(([, instance], i) => serve(instance, i + 1)),
      swap(0),
      swap(1),
      collect(),
    ])
    gc?.()
    const grown = base === 0 ? 0 : process.memoryUsage.rss() - base
    for (const [model] of opened) await model.close()
    // Ends the process where anything of the runtime's was left.
    await backend.close?.()
    expect(runs).toBeGreaterThan(0)
    expect(swaps).toBeGreaterThan(0)
    expect(grown).toBeLessThan(ALLOWED_GROWTH)
    console.info(
      `neuron stress: ${runs} runs, ${swaps} swaps, ${(grown / 1048576).toFixed(1)} MB grown`,
    )
  },
)
