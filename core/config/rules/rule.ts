import type { InstanceGroup, ModelConfig } from '../types.ts'

/** What a rule may look at. */
export interface RuleContext {
  readonly config: ModelConfig
  /** The config's name, as it stands in messages. */
  readonly name: string
  /** GPUs of this machine; `undefined` where nobody knows. */
  readonly gpus: readonly number[] | undefined
  /** The error to throw for the field at `path`. */
  fail(path: string, message: string): Error
}

/** One rule of the configuration: throws where it is broken. */
export type Rule = (context: RuleContext) => void

export function groupsOf(config: ModelConfig): readonly InstanceGroup[] {
  return config.instance_group ?? []
}
