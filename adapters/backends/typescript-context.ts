import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { ModelContext } from '../../core/model-api/types.ts'
import type { LogLevel } from '../../core/platform.ts'
import type { Calls, Post } from './typescript-calls.ts'

export interface ContextOptions {
  readonly name: string
  readonly version: number
  readonly instance: string
  readonly config: ModelConfig
  readonly calls: Calls
  readonly post: Post
  /** Whether `initialize` is over. */
  readonly started: () => boolean
}

/** What `initialize` is given. */
export function modelContext(options: ContextOptions): ModelContext {
  const { name, version, instance, config, calls, post, started } = options
  const log = (level: LogLevel) => (message: string) =>
    post({ kind: 'log', level, message: String(message) })
  // A model that waits for another while it is loaded itself can keep it from being loaded.
  const change = async (action: 'load' | 'unload', model: string): Promise<void> => {
    if (!started()) {
      throw new ServerError('UNAVAILABLE', `cannot ${action} '${model}' before this model is ready`)
    }
    await calls.control(action, model, '')
  }
  const parameters: Record<string, string> = {}
  for (const [key, value] of Object.entries(config.parameters ?? {})) {
    parameters[key] = value.string_value ?? ''
  }
  return {
    name,
    version,
    instance,
    config: config as ModelContext['config'],
    parameters,
    log: {
      error: log('error'),
      warning: log('warning'),
      info: log('info'),
      verbose: log('verbose'),
    },
    infer: (model, inputs, given) => calls.infer(model, inputs, given),
    stream: (model, inputs, given) => calls.stream(model, inputs, given),
    models: {
      load: (model) => change('load', model),
      unload: (model) => change('unload', model),
      isReady: (model, wanted) =>
        calls.control('ready', model, wanted === undefined ? '' : String(wanted)),
    },
  }
}
