import { nodeClock } from '../../../adapters/platform/clock.ts'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import type { Backend } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest } from '../../../core/infer.ts'
import { createServer, type Server } from '../../../core/server.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { silentLog } from './onnx-fixtures.ts'

/** A server without doors over models in memory, under explicit control: nothing is loaded yet. */
export function serveOnnx(
  backend: Backend,
  models: Readonly<Record<string, { readonly config: string; readonly file: Uint8Array }>>,
): Promise<Server> {
  const files = new Map<string, Uint8Array>()
  for (const [name, { config, file }] of Object.entries(models)) {
    files.set(`${name}/config.pbtxt`, new TextEncoder().encode(config))
    files.set(`${name}/1/model.onnx`, file)
  }
  return createServer({
    platform: { clock: nodeClock(), log: silentLog },
    stores: [memoryStore({ files })],
    backends: [backend],
    options: { modelControlMode: 'explicit' },
  })
}

/** One inference; resolves to the outputs by name. */
export function inferOn(
  server: Server,
  name: string,
  inputs: readonly Tensor[],
): Promise<ReadonlyMap<string, Tensor>> {
  return new Promise((resolve, reject) => {
    const request = new InferRequest(
      { inputs },
      {
        answer(_request, answer) {
          if (answer === null || answer instanceof ServerError) reject(answer)
          else resolve(new Map(answer.outputs.map((output) => [output.name, output])))
        },
      },
    )
    const model = server.model(name, '')
    model.check(request)
    model.submit(request)
  })
}
