import type { ModelSource, Placement } from '../../../core/backend/types.ts'
import { configToJson } from '../../../core/config/config-json.ts'
import type { ModelConfig } from '../../../core/config/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Clock } from '../../../core/platform.ts'
import type { MemoryFiles } from '../../../native/memfd/library.ts'
import { MAX_UNTAKEN } from '../hosted/untaken.ts'
import type { CustomMetrics } from './custom-metrics.ts'
import type { ModelFiles } from './model-files.ts'
import type { PythonSettings } from './python-settings.ts'
import { type WorkerCommand, WorkerProcess } from './worker-process.ts'
import { WorkerServices } from './worker-services.ts'

/** What every worker of a model is started from. */
export interface WorkerSource {
  readonly model: ModelSource
  readonly files: ModelFiles
  readonly settings: PythonSettings
  readonly command: WorkerCommand
  readonly memory: MemoryFiles
  readonly metrics: CustomMetrics
  readonly clock: Clock
}

export interface OpenedWorker {
  readonly worker: WorkerProcess
  readonly services: WorkerServices
  /** JSON of the config that the model completed, or null. */
  readonly config: string | null
  /** Whether the model tells by itself whether it is ready. */
  readonly tellsReady: boolean
}

/** A worker with the module imported. Throws the reason. */
export async function openWorker(
  source: WorkerSource,
  config: ModelConfig,
  options: { readonly complete: boolean; readonly name: string; readonly signal?: AbortSignal },
): Promise<OpenedWorker> {
  const { model, files, settings, command, memory, clock } = source
  const worker = new WorkerProcess({
    command,
    files: memory,
    limits: settings.memory,
    memoryLimitMb: settings.memoryLimitMb,
    clock,
    name: options.name,
    line: (text) => model.log.info(text),
  })
  const services = new WorkerServices({ model, worker, metrics: source.metrics, clock })
  try {
    const json = JSON.stringify({
      kind: 'open',
      path: files.path,
      ...(files.folder === undefined ? {} : { folder: files.folder }),
      config: JSON.stringify(configToJson(config)),
      args: argsOf(source, config),
      complete: options.complete,
      memory: [settings.memory.growth, settings.memory.most],
      credits: MAX_UNTAKEN,
      environment: {},
    })
    const what = `model '${model.name}' cannot be opened`
    const reply = await worker.ask(json, what, settings.startTimeoutMs, options.signal)
    if (reply.kind !== 'opened') throw unexpected(reply.kind)
    const { config: own, ready } = reply
    return {
      worker,
      services,
      config: typeof own === 'string' ? own : null,
      tellsReady: ready === true,
    }
  } catch (error) {
    services.close()
    await worker.close()
    throw error
  }
}

/** Has the model initialize itself as one instance. The worker is closed where it cannot. Throws the reason. */
export async function startWorker(
  { worker, services }: OpenedWorker,
  source: WorkerSource,
  placement: Placement,
  config: ModelConfig,
): Promise<void> {
  const { model, settings } = source
  const args = {
    ...argsOf(source, config),
    model_instance_kind: placement.kind.slice('KIND_'.length),
    model_instance_name: placement.name,
    model_instance_device_id: String(placement.device),
  }
  worker.name = placement.name
  try {
    const what = `model '${model.name}' cannot be initialized`
    const json = JSON.stringify({ kind: 'start', args })
    const reply = await worker.ask(json, what, settings.startTimeoutMs)
    if (reply.kind !== 'started') throw unexpected(reply.kind)
  } catch (error) {
    services.close()
    await worker.close()
    throw error
  }
}

/** Ends a worker, at once or kindly; its user hears nothing of it. Idempotent. */
export async function closeWorker(
  { worker, services }: OpenedWorker,
  kindly = false,
): Promise<void> {
  services.close()
  await worker.close(kindly)
}

function argsOf({ model, files }: WorkerSource, config: ModelConfig): Record<string, string> {
  return {
    model_config: JSON.stringify(configToJson(config)),
    model_repository: files.modelFolder,
    model_version: String(model.version),
    model_name: model.name,
  }
}

function unexpected(kind: unknown): ServerError {
  return new ServerError('INTERNAL', `unexpected reply '${String(kind).slice(0, 40)}'`)
}
