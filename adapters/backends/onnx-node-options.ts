import type { ModelConfig } from '../../core/config/types.ts'
import type { NodeSessionOptions } from './onnx-node-messages.ts'
import { sessionSettings } from './onnx-options.ts'

const GRAPH_LEVELS: Readonly<Record<number, NodeSessionOptions['graphOptimizationLevel']>> = {
  0: 'disabled',
  1: 'basic',
  2: 'extended',
}

/** What a config says of its session, for the JavaScript packages of ONNX Runtime. */
export function nodeSessionOptions(config: ModelConfig): NodeSessionOptions {
  const settings = sessionSettings(config, false)
  const { intraOpThreads = 0, interOpThreads = 0, memoryArena, memoryPattern } = settings
  return {
    graphOptimizationLevel: GRAPH_LEVELS[settings.graphLevel ?? 99] ?? 'all',
    executionMode: settings.parallel === true ? 'parallel' : 'sequential',
    ...(intraOpThreads > 0 ? { intraOpNumThreads: intraOpThreads } : {}),
    ...(interOpThreads > 0 ? { interOpNumThreads: interOpThreads } : {}),
    ...(memoryArena === undefined ? {} : { enableCpuMemArena: memoryArena }),
    ...(memoryPattern === undefined ? {} : { enableMemPattern: memoryPattern }),
  }
}
