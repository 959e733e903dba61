import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { grpcBody, inferMessage } from './grpc-message.ts'
import type { BenchModel } from './models.ts'
import { onCore, run } from './processes.ts'

export interface GrpcLoad {
  readonly port: number
  readonly model: BenchModel
  /** The model that is served. */
  readonly name: string
  readonly connections: number
  /** Calls in flight on each connection. */
  readonly streams: number
  readonly seconds: number
  /** What is sent. Default: the model's tensors in the body. */
  readonly message?: Uint8Array
  /** Folder for request bodies. */
  readonly cache: string
}

const GRACE_MS = 20_000

/** Sends the same unary infer call over and over with Debian's `h2load`; answers per second. */
export async function grpcLoad(load: GrpcLoad): Promise<number> {
  const { port, model, name, connections, streams, seconds, cache } = load
  const file = join(cache, `${name}.grpc`)
  writeFileSync(file, grpcBody(load.message ?? inferMessage(model, name)))
  const output = await run(
    onCore('client', [
      'h2load',
      '-t1',
      `-c${connections}`,
      `-m${streams}`,
      `-D${seconds}`,
      // Windows of 16 MiB, as of gRPC's clients; the default of 64 KiB is a wait for each piece of a large answer.
      '-w24',
      '-W24',
      '-d',
      file,
      '-H',
      'content-type: application/grpc',
      '-H',
      'te: trailers',
      `http://127.0.0.1:${port}/inference.GRPCInferenceService/ModelInfer`,
    ]),
    seconds * 1000 + GRACE_MS,
  )
  const rate = /finished in [^,]+, ([\d.]+) req\/s/.exec(output)?.[1]
  const failed = /(\d+) failed, (\d+) errored, (\d+) timeout/.exec(output)
  if (rate === undefined || failed === null) throw new Error(`no result from h2load: ${output}`)
  if (failed.slice(1).some((count) => count !== '0')) throw new Error(output)
  return Number(rate)
}
