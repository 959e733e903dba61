import { readFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onnxBackend } from '../../../../adapters/backends/onnx.ts'
import { controlMethods } from '../../../../adapters/grpc/control/control-methods.ts'
import { GRPCInferenceService } from '../../../../adapters/grpc/messages/grpc_service_pb.ts'
import type { Status, UnaryMethod } from '../../../../adapters/grpc/types.ts'
import { nodeClock } from '../../../../adapters/platform/clock.ts'
import { diskStore } from '../../../../adapters/stores/disk.ts'
import { ServerError } from '../../../../core/errors.ts'
import { createLog } from '../../../../core/log.ts'
import { createServer, type Server } from '../../../../core/server.ts'
import { cannotOpen } from '../../../../core/shared-memory/errors.ts'
import { createSharedMemory } from '../../../../core/shared-memory/regions.ts'
import { answerJson, callBytes } from './call.ts'

/** What Triton 2.51 answered to one call. */
interface Recorded {
  readonly name: string
  readonly method: string
  readonly request_base64: string
  readonly compare: 'exact' | 'schema'
  readonly answer: {
    readonly code: keyof typeof Status
    readonly body?: unknown
    readonly msg?: string
  }
}

const FIXTURES = new URL('../../../fixtures/recorded/', import.meta.url)
const recorded: readonly Recorded[] = JSON.parse(
  readFileSync(new URL('grpc.json', FIXTURES), 'utf8'),
).filter(({ method }: Recorded) => method !== 'ModelInfer' && method !== 'ModelStreamInfer')

describe('the control calls of recorded Triton are answered as Triton does:', () => {
  let folder: string
  let server: Server
  let methods: readonly UnaryMethod[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nereid-grpc-control-'))
    const root = join(folder, 'repository')
    await cp(fileURLToPath(new URL('repository', FIXTURES)), root, { recursive: true })
    const clock = nodeClock()
    const log = createLog({ write: () => {}, epochUs: () => 0, pid: 1 })
    server = await createServer({
      platform: { clock, log },
      stores: [diskStore({ root })],
      backends: [onnxBackend({ clock })],
      options: { modelControlMode: 'explicit', loadModels: ['*'] },
    })
    const empty = {
      open: (key: string) => {
        throw cannotOpen(`/${key}`)
      },
    }
    const sharedMemory = createSharedMemory({ host: empty, enabled: true })
    methods = controlMethods({ server, logControl: log, sharedMemory, log })
  })
  afterAll(async () => {
    await server.close()
    await rm(folder, { recursive: true })
  })

  test.each(recorded.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const message = Buffer.from(one.request_base64, 'base64')
    const path = `/inference.GRPCInferenceService/${one.method}`
    const answer = await callBytes(methods, path, message).catch((error: unknown) => error)
    if (one.answer.code !== 'OK') {
      expect(answer).toBeInstanceOf(ServerError)
      const { code, message } = answer as ServerError
      expect({ code, message }).toEqual({ code: one.answer.code, message: one.answer.msg })
      return
    }
    if (!(answer instanceof Uint8Array)) throw answer
    const method = GRPCInferenceService.methods.find(({ name }) => name === one.method)!
    const body = answerJson(method, answer)
    if (one.compare === 'exact') expect(body).toEqual(one.answer.body)
    else expect(schemaOf(body)).toEqual(one.answer.body)
  })
})

/** Types in place of values; lists are as their first element is. */
function schemaOf(json: unknown): unknown {
  if (Array.isArray(json)) return json.slice(0, 1).map(schemaOf)
  if (typeof json === 'object' && json !== null) {
    return Object.fromEntries(Object.entries(json).map(([key, one]) => [key, schemaOf(one)]))
  }
  if (typeof json === 'boolean') return 'bool'
  return typeof json === 'number' ? 'int' : 'str'
}
