import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { buildSync } from 'esbuild'
import { onTestFinished } from 'vitest'
import { typescriptBackend } from '../../../adapters/backends/typescript.ts'
import type { WorkerEntry } from '../../../adapters/backends/typescript-thread.ts'
import { diskStore } from '../../../adapters/stores/disk.ts'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import { repeatBackend } from '../../../core/backend/repeat.ts'
import type { ModelSource } from '../../../core/backend/types.ts'
import { packBytes, unpackBytes } from '../../../core/bytes.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import type { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferResponse, type RequestTrace } from '../../../core/infer.ts'
import { createLog } from '../../../core/log.ts'
import { createServer, type Server } from '../../../core/server.ts'
import type { ServerOptions } from '../../../core/server-options.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { createFakeBackend } from '../../helpers/fake-backend.ts'
import { ECHO_CONFIG } from '../../helpers/serve.ts'
import { realClock, silentLog } from './onnx-fixtures.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
export const MODELS: string = join(root, 'test/fixtures/typescript')
const store = diskStore({ root: MODELS })

/** The worker as a target ships it: a file of its own, written by the bundler. */
export function buildWorker(): { readonly worker: WorkerEntry; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'nereid-worker-'))
  const outfile = join(folder, 'typescript-worker.mjs')
  buildSync({
    entryPoints: [join(root, 'adapters/backends/typescript-worker.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
  })
  return {
    worker: { url: pathToFileURL(outfile) },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Version 1 of a fixture. */
export function fixture(name: string, config: ModelConfig = {}): ModelSource {
  return {
    name,
    version: 1,
    config: { name, backend: 'typescript', ...config },
    settings: new Map(),
    store,
    modelPath: name,
    versionPath: `${name}/1`,
    log: silentLog,
  }
}

export interface Serving {
  readonly server: Server
  readonly logged: readonly string[]
}

/** A server with the fixtures named in `models` (config.pbtxt by name), and `echo`, which is none of them. */
export async function serveModels(
  worker: WorkerEntry,
  models: Readonly<Record<string, string>>,
  options: ServerOptions = {},
): Promise<Serving> {
  const logged: string[] = []
  const log = createLog({ write: (line) => logged.push(line), epochUs: () => 0, pid: 1 })
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
  const files = new Map<string, Uint8Array>([
    ['echo/config.pbtxt', encode(ECHO_CONFIG)],
    ['echo/1/model.fake', new Uint8Array(1)],
  ])
  for (const [name, config] of Object.entries(models)) {
    files.set(`${name}/config.pbtxt`, encode(`backend: "typescript"\n${config}`))
    files.set(`${name}/1/${name === 'plain' ? 'model.js' : 'model.ts'}`, new Uint8Array(1))
  }
  const memory = memoryStore({ files })
  const server = await createServer({
    platform: { clock: realClock, log },
    stores: [{ ...memory, root: MODELS, localPath: async (path) => join(MODELS, path) }],
    backends: [
      createFakeBackend(),
      repeatBackend({ clock: realClock }),
      typescriptBackend({ clock: realClock, worker }),
    ],
    options,
  })
  onTestFinished(() => server.close(1000))
  return { server, logged }
}

export type Answer = InferResponse | ServerError | null

/** A request on its way and what came of it so far. */
export interface Asked {
  readonly request: InferRequest
  readonly answers: readonly Answer[]
  /** All answers but for a last one that is none. */
  readonly done: Promise<readonly Answer[]>
}

export function ask(
  { server }: Serving,
  model: string,
  inputs: readonly Tensor[],
  options: { readonly trace?: RequestTrace; readonly congested?: () => boolean } = {},
): Asked {
  const answers: Answer[] = []
  let finish: (answers: readonly Answer[]) => void = () => {}
  const done = new Promise<readonly Answer[]>((resolve) => {
    finish = resolve
  })
  const request = new InferRequest(
    { inputs, trace: options.trace ?? null },
    {
      answer(_request, answer, final) {
        if (answer !== null) answers.push(answer)
        if (final) finish(answers)
      },
      ...(options.congested === undefined ? {} : { congested: options.congested }),
    },
  )
  const served = server.model(model, '')
  request.startNs = realClock.now()
  served.check(request)
  served.submit(request)
  return { request, answers, done }
}

export function text(words: readonly string[], shape: readonly number[] = [1, 1]): Tensor {
  const data = packBytes(words.map((word) => new TextEncoder().encode(word)))
  return { name: 'TEXT', datatype: 'BYTES', shape, data }
}

/** What a model that answers with text said: the text, or `CODE message`. */
export async function told(asked: Asked): Promise<string> {
  const [answer] = await asked.done
  if (answer === undefined || answer === null) return 'nothing'
  if (answer instanceof Error) return `${answer.code} ${answer.message}`
  const [element] = unpackBytes(answer.outputs[0]?.data ?? new Uint8Array(0))
  return new TextDecoder().decode(element)
}
