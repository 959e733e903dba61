import type { ModelConfig } from '../config/types.ts'
import type { InferRequest } from '../infer.ts'
import type { ServedModel, TensorMetadata } from '../server-types.ts'
import type { ModelStats } from '../stats.ts'

/** Looks like `model` in everything; what is different is for its heirs to say. */
export class DelegatedModel implements ServedModel {
  readonly name: string
  readonly version: number
  readonly config: ModelConfig
  readonly inputs: readonly TensorMetadata[]
  readonly outputs: readonly TensorMetadata[]
  readonly stats: ModelStats
  readonly checksContent: boolean
  protected readonly model: ServedModel

  constructor(model: ServedModel) {
    this.name = model.name
    this.version = model.version
    this.config = model.config
    this.inputs = model.inputs
    this.outputs = model.outputs
    this.stats = model.stats
    this.checksContent = model.checksContent
    this.model = model
  }

  get pending(): number {
    return this.model.pending
  }

  get ready(): boolean {
    return this.model.ready
  }

  labels(output: string): readonly string[] | undefined {
    return this.model.labels(output)
  }

  check(request: InferRequest): void {
    this.model.check(request)
  }

  submit(request: InferRequest): void {
    this.model.submit(request)
  }
}
