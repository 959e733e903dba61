import { parentPort } from 'node:worker_threads'
import type { InferenceSession } from 'onnxruntime-node'
import type { NodeReply, NodeRequest } from './onnx-node-messages.ts'
import { fromOrt, ioSpecOf, toOrt } from './onnx-node-tensors.ts'

/**
 * The worker of one onnxruntime-node instance: its own session, one message at a time. `session.run` blocks the
 * thread it is called on, which is why it has one to itself.
 */
const port = parentPort
if (port === null) throw new Error('onnx-node-worker runs as a worker thread')

/** ONNX Runtime prints only what is fatal: everything else comes back as an error. */
const FATAL = 4

// Node 24 has a Float16Array, which the package prefers for FP16 and its native half reads as empty; without one the
// package takes the bits. This global is the worker's own.
Reflect.deleteProperty(globalThis, 'Float16Array')

const { InferenceSession: Sessions, Tensor } = await import('onnxruntime-node')
let session: InferenceSession | null = null

async function serve(request: NodeRequest): Promise<NodeReply> {
  if (request.kind === 'open') {
    const options = { ...request.options, logSeverityLevel: FATAL } as const
    session =
      typeof request.model === 'string'
        ? await Sessions.create(request.model, options)
        : await Sessions.create(request.model, options)
    return {
      kind: 'opened',
      io: {
        inputs: session.inputMetadata.map(ioSpecOf),
        outputs: session.outputMetadata.map(ioSpecOf),
      },
    }
  }
  if (session === null) throw new Error('no session is open')
  const feeds: Record<string, InstanceType<typeof Tensor>> = {}
  for (const input of request.inputs) feeds[input.name] = toOrt(Tensor, input)
  const results = await session.run(feeds, [...request.outputs])
  const outputs = request.outputs.map((name) => {
    const tensor = results[name]
    if (tensor === undefined) throw new Error(`output tensor '${name}' is not found`)
    return fromOrt(name, tensor)
  })
  return { kind: 'ran', outputs }
}

port.on('message', (request: NodeRequest) => {
  serve(request).then(
    (reply) => {
      const transfer = reply.kind === 'ran' ? reply.outputs.map((output) => output.buffer) : []
      port.postMessage(reply, transfer)
    },
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      port.postMessage({ kind: 'failed', message } satisfies NodeReply)
    },
  )
})
