import { describe, expect, it } from 'vitest'
import { INFER_PATH, STREAM_INFER_PATH } from '../../adapters/grpc/routes.ts'
import type { RequestHead } from '../../adapters/http2/types.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { repeatBackend } from '../../core/backend/repeat.ts'
import { seeded } from '../adapters/http2/hpack/seeded.ts'
import { ECHO_CONFIG } from '../helpers/serve.ts'
import { serveGrpc } from '../helpers/serve-grpc.ts'
import { until } from '../helpers/until.ts'
import { CountingAccess, CountingGate, countingGates } from './counting-access.ts'
import { type FuzzCall, FuzzTransport, fuzzHead } from './fuzz-call.ts'
import { MessageFuzz } from './fuzz-messages.ts'

/** `FUZZ_SEQUENCES` in the environment asks for more. */
const SEQUENCES = Number(process.env['FUZZ_SEQUENCES'] ?? 100_000)
const TIMEOUT_MS = 120_000 + 2 * SEQUENCES
/** Calls that are open at a time; an older one is cut. */
const OPEN = 60
/** What so many requests may leave in memory: the collector's own noise is a part of it. */
const MAX_GROWTH = 32 * 1024 * 1024

const MODELS = {
  echo: ECHO_CONFIG,
  window: `${ECHO_CONFIG} dynamic_batching { max_queue_delay_microseconds: 2000 default_queue_policy { max_queue_size: 20 } }`,
  sequence: `${ECHO_CONFIG} sequence_batching {
    max_sequence_idle_microseconds: 20000
    oldest { max_candidate_sequences: 3 }
  }`,
  repeat: `backend: "repeat"
    model_transaction_policy { decoupled: true }
    input [ { name: "IN" data_type: TYPE_INT32 dims: [ -1 ] },
            { name: "DELAY" data_type: TYPE_UINT32 dims: [ -1 ] },
            { name: "WAIT" data_type: TYPE_UINT32 dims: [ 1 ] } ]
    output [ { name: "OUT" data_type: TYPE_INT32 dims: [ 1 ] },
             { name: "IDX" data_type: TYPE_UINT32 dims: [ 1 ] } ]`,
}
const PLAIN = ['content-type', 'application/grpc', 'te', 'trailers']
const GZIP = [...PLAIN, 'grpc-encoding', 'gzip', 'grpc-accept-encoding', 'gzip']
/** Used for many calls each, as a connection that repeats its header does. */
const HEADS = [INFER_PATH, STREAM_INFER_PATH, STREAM_INFER_PATH].flatMap((path) => [
  fuzzHead(path, PLAIN),
  fuzzHead(path, GZIP),
  fuzzHead(path, [...PLAIN, 'grpc-timeout', '3m']),
  fuzzHead(path, [...PLAIN, 'triton_grpc_error', 'true']),
])

describe('clients of ModelInfer and ModelStreamInfer that do what comes to their mind', () => {
  it(
    `break nothing and leave nothing behind in ${SEQUENCES} mutated sequences`,
    async () => {
      const { random, seed } = seeded()
      const faults: string[] = []
      const below = (limit: number): number => Math.floor(random() * limit)
      const refuses = (): boolean => random() < 0.01
      const gate = new CountingGate(refuses, faults)
      const access = new CountingAccess(refuses, faults)
      const transport = new FuzzTransport(faults)
      const serving = await serveGrpc({
        models: MODELS,
        backend: { paused: true },
        backends: [repeatBackend({ clock: nodeClock() })],
        grpc: { transport: transport.start, gates: countingGates(gate), access },
      })
      const messages = new MessageFuzz(random)
      const calls: FuzzCall[] = []

      /** The fake backend remembers all that it ever executed. */
      function forget(): void {
        for (const { batches } of serving.backend.instances) (batches as unknown[]).length = 0
      }
      function execute(): void {
        const running = serving.backend.instances.filter((one) => one.running)
        running[below(running.length)]?.finish()
      }
      function open(): FuzzCall {
        const call = transport.call(HEADS[below(HEADS.length)] as RequestHead, random() < 0.98)
        calls.push(call)
        if (calls.length > OPEN) {
          for (const old of calls.splice(0, OPEN / 2)) old.cut()
        }
        return call
      }
      /** One that is open; a call is closed as soon as both sides have ended. */
      function known(): FuzzCall | undefined {
        while (calls.length > 0) {
          const at = below(calls.length)
          const call = calls[at] as FuzzCall
          if (!call.closed) return call
          calls.splice(at, 1)
        }
        return undefined
      }
      function sequence(): void {
        const call = (random() < 0.3 ? undefined : known()) ?? open()
        const compressed = call.head.get('grpc-encoding') === 'gzip'
        for (let left = 1 + below(4); left > 0; left--) {
          const kind = random()
          if (kind < 0.6) {
            const pieces = messages.pieces(messages.next(compressed))
            const ends = random() < 0.3
            for (const [at, piece] of pieces.entries()) {
              call.send(piece, ends && at === pieces.length - 1)
              if (random() < 0.05) execute()
            }
          } else if (kind < 0.65) call.send(new Uint8Array(0), true)
          else if (kind < 0.7) call.cut()
          else if (kind < 0.8) call.drain()
          else execute()
        }
      }

      for (let at = 0; at < 2_000; at++) sequence()
      forget()
      globalThis.gc?.()
      const before = process.memoryUsage()
      for (let at = 2_000; at < SEQUENCES && faults.length === 0; at++) {
        try {
          sequence()
        } catch (error) {
          faults.push(`sequence ${at}: ${error instanceof Error ? error.stack : String(error)}`)
        }
        if (at % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      for (const call of transport.open) call.cut()
      calls.length = 0
      const pending = (): number =>
        [...serving.server.models()].reduce((sum, model) => sum + model.pending, 0)
      const running = (): boolean => serving.backend.instances.some((one) => one.running)
      await until(() => {
        for (const one of serving.backend.instances) if (one.running) one.finish()
        return pending() === 0 && !running() && gate.places === 0 && access.inside === 0
      }).catch(() => faults.push('something is still held'))
      forget()

      expect(faults, `seed ${seed}`).toEqual([])
      expect({
        calls: transport.open.size,
        pending: pending(),
        running: running(),
        places: gate.places,
        bytes: gate.bytes,
        inside: access.inside,
        logged: serving.logged.filter((line) => line.startsWith('E')),
      }).toEqual({
        calls: 0,
        pending: 0,
        running: false,
        places: 0,
        bytes: 0,
        inside: 0,
        logged: [],
      })
      // What array buffers held is given back some time after a collection.
      await until(() => Math.max(...growth(before)) < MAX_GROWTH).catch(() => {})
      expect(Math.max(...growth(before)), 'bytes that nobody holds').toBeLessThan(MAX_GROWTH)
      // The calls were not so wrong that nothing was asked, nor so right that nothing ended.
      expect(transport.opened).toBeGreaterThan(SEQUENCES / 10)
      expect(gate.entered).toBeGreaterThan(SEQUENCES / 10)
      expect(transport.answers).toBeGreaterThan(SEQUENCES / 20)
      await serving.close()
    },
    TIMEOUT_MS,
  )
})

/** Bytes of the heap and of array buffers, beyond those of `before`. */
function growth(before: NodeJS.MemoryUsage): number[] {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return [heapUsed - before.heapUsed, arrayBuffers - before.arrayBuffers]
}
