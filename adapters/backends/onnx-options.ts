import type { ModelConfig } from '../../core/config/types.ts'
import { ServerError } from '../../core/errors.ts'
import type { GlobalThreads } from '../../native/onnxruntime/env.ts'
import type { SessionSettings } from '../../native/onnxruntime/session-options.ts'
import { parameter, parseBoolean, parseInteger } from './onnx-parameters.ts'

/** `optimization.graph.level` → ONNX Runtime's level; anything else is "all". */
const GRAPH_LEVELS: Readonly<Record<number, number>> = { [-1]: 1, 1: 2, 2: 0 }
const ALL_OPTIMIZATIONS = 99

const DEVICE_ALLOCATOR = 'session.use_device_allocator_for_initializers'
const ARENA_SHRINKAGE = 'memory.enable_memory_arena_shrinkage'

/** Everything a config says about its session, providers and custom operators aside. */
export function sessionSettings(config: ModelConfig, sharedThreads: boolean): SessionSettings {
  const mode = integer(config, 'execution_mode')
  if (mode !== 0 && mode !== 1) {
    throw new ServerError(
      'INVALID_ARG',
      `Invalid configuration value provided. Expected values for  execution_mode are 0 or 1 but got ${mode} .`,
    )
  }
  const arena = parameter(config, 'enable_mem_arena')
  const pattern = parameter(config, 'enable_mem_pattern')
  const allocator = parameter(config, DEVICE_ALLOCATOR)
  return {
    graphLevel: GRAPH_LEVELS[config.optimization?.graph?.level ?? 0] ?? ALL_OPTIMIZATIONS,
    parallel: mode === 1,
    intraOpThreads: integer(config, 'intra_op_thread_count'),
    interOpThreads: integer(config, 'inter_op_thread_count'),
    sharedThreads,
    ...(arena === undefined ? {} : { memoryArena: parseBoolean(arena, 'enable_mem_arena') }),
    ...(pattern === undefined
      ? {}
      : { memoryPattern: parseBoolean(pattern, 'enable_mem_pattern') }),
    ...(allocator === undefined ? {} : { entries: { [DEVICE_ALLOCATOR]: allocator } }),
  }
}

/** Entries of the options that every run takes. */
export function runEntries(config: ModelConfig): Readonly<Record<string, string>> {
  const shrinkage = parameter(config, ARENA_SHRINKAGE)
  return shrinkage === undefined ? {} : { [ARENA_SHRINKAGE]: shrinkage }
}

/** `--backend-config=onnxruntime,enable-global-threadpool=1` and its sizes; `undefined` = a pool per session. */
export function globalThreads(settings: ReadonlyMap<string, string>): GlobalThreads | undefined {
  const enabled = settings.get('enable-global-threadpool')
  if (enabled === undefined || !parseBoolean(enabled, 'enable-global-threadpool')) return undefined
  const count = (key: string): number => parseInteger(settings.get(key) ?? '0', key)
  return { intraOp: count('intra_op_thread_count'), interOp: count('inter_op_thread_count') }
}

/**
 * `--backend-config=onnxruntime,io-binding=true`: tensors are tied to a session before each run. Default false: a run that is
 * told of them copies each once, too, and does so off the event loop.
 */
export function usesBinding(settings: ReadonlyMap<string, string>): boolean {
  return parseBoolean(settings.get('io-binding') ?? 'false', 'io-binding')
}

function integer(config: ModelConfig, key: string): number {
  return parseInteger(parameter(config, key) ?? '0', key)
}
