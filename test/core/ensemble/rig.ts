import type { ModelConfig } from '../../../core/config/types.ts'
import { loadEnsemble } from '../../../core/ensemble/load-ensemble.ts'
import type { StepModel, StepModels } from '../../../core/ensemble/types.ts'
import { ServerError } from '../../../core/errors.ts'
import { InferRequest, type InferRequestOptions, type InferResponse } from '../../../core/infer.ts'
import { tensorMetadata } from '../../../core/model/metadata.ts'
import type { LoadedModel } from '../../../core/model/model.ts'
import { createRequestCheck } from '../../../core/model/request-check.ts'
import { fileMapStore } from '../../../core/repository/file-map.ts'
import { ModelStats } from '../../../core/stats.ts'
import type { Tensor } from '../../../core/tensor.ts'
import { createFakeClock, type FakeClock } from '../../helpers/fake-clock.ts'

/** A composing model whose requests the test answers, at once or later. */
export interface ManualModel extends StepModel {
  /** Every request it ever got, in order. */
  readonly requests: readonly InferRequest[]
  /** Those not answered yet. */
  readonly open: readonly InferRequest[]
  readonly holds: number
}

export interface ManualOptions {
  readonly config: ModelConfig
  readonly version?: number
  readonly labels?: Readonly<Record<string, readonly string[]>>
  /** Answers each request as it comes; without it the test does. */
  readonly run?: (request: InferRequest) => void
}

export function manualModel(options: ManualOptions): ManualModel {
  const { config, version = 1 } = options
  const name = config.name ?? ''
  const requests: InferRequest[] = []
  const check = createRequestCheck(config, name, version)
  let holds = 0
  return {
    name,
    version,
    config,
    ...tensorMetadata(config),
    stats: new ModelStats(),
    pending: 0,
    ready: true,
    checksContent: check.checksContent,
    labels: (output) => options.labels?.[output],
    check: (request) => check.check(request),
    submit(request) {
      requests.push(request)
      options.run?.(request)
    },
    hold() {
      holds++
    },
    drop() {
      holds--
    },
    requests,
    get open() {
      return requests.filter((request) => !request.settled)
    },
    get holds() {
      return holds
    },
  }
}

/** `io`: names of inputs and outputs, all INT32 of one row of `columns`. */
export function modelConfig(
  name: string,
  inputs: readonly string[],
  outputs: readonly string[],
  more: ModelConfig = {},
): ModelConfig {
  const io = (names: readonly string[]) =>
    names.map((one) => ({ name: one, data_type: 'TYPE_INT32' as const, dims: [2] }))
  return { name, max_batch_size: 8, input: io(inputs), output: io(outputs), ...more }
}

export type StepSpec = readonly [
  model: string,
  inputs: Readonly<Record<string, string>>,
  outputs: Readonly<Record<string, string>>,
  version?: number,
]

/** A config of an ensemble of INT32 tensors of two columns. */
export function ensembleConfig(
  inputs: readonly string[],
  outputs: readonly string[],
  steps: readonly StepSpec[],
  more: ModelConfig = {},
): ModelConfig {
  return {
    ...modelConfig('ens', inputs, outputs),
    platform: 'ensemble',
    ensemble_scheduling: {
      step: steps.map(([model_name, input_map, output_map, model_version = -1]) => ({
        model_name,
        model_version,
        input_map: { ...input_map },
        output_map: { ...output_map },
      })),
    },
    ...more,
  }
}

export function int32(
  name: string,
  values: readonly number[],
  shape: readonly number[] = [values.length / 2, 2],
): Tensor {
  return { name, datatype: 'INT32', shape, data: new Uint8Array(Int32Array.from(values).buffer) }
}

export function valuesOf(tensor: Tensor | undefined): readonly number[] {
  return [...new Int32Array(tensor?.data.slice().buffer ?? new ArrayBuffer(0))]
}

/** Answers `request` with its first input, plus `add`, under every name it was asked for. */
export function answerPlus(request: InferRequest, add = 0): void {
  const input = request.inputs[0]
  const values = valuesOf(input).map((value) => value + add)
  const shape = input?.shape ?? []
  request.respond({ outputs: (request.outputs ?? []).map((name) => int32(name, values, shape)) })
}

/** A request to the ensemble, and what came back. */
export interface Sent {
  readonly request: InferRequest
  readonly answers: readonly (InferResponse | ServerError | null)[]
  readonly finals: number
  /** `CODE text` of the one error; '' while there is none. */
  readonly error: string
  /** Values by output of the one response. */
  readonly values: Readonly<Record<string, readonly number[]>>
  readonly response: InferResponse
}

export interface Rig {
  readonly clock: FakeClock
  readonly ensemble: LoadedModel
  readonly models: Map<string, ManualModel>
  readonly log: readonly string[]
  /** Puts `model` in service in place of the one with its name. */
  replace(model: ManualModel): void
  send(inputs: readonly Tensor[], options?: Partial<InferRequestOptions>): Sent
}

export async function createRig(
  config: ModelConfig,
  models: readonly ManualModel[],
  files: Readonly<Record<string, string>> = {},
): Promise<Rig> {
  const clock = createFakeClock()
  const log: string[] = []
  const held = new Map(models.map((model) => [model.name, model]))
  let generation = 0
  const found: StepModels = {
    get generation() {
      return generation
    },
    find(name, version) {
      const model = held.get(name)
      if (model !== undefined && (version === '' || version === String(model.version))) return model
      throw new ServerError('NOT_FOUND', `Request for unknown model: '${name}' is not found`)
    },
  }
  const encoder = new TextEncoder()
  const ensemble = await loadEnsemble({
    clock,
    models: found,
    source: {
      name: 'ens',
      version: 1,
      config,
      settings: new Map(),
      store: fileMapStore({
        root: 'root',
        files: new Map(Object.entries(files).map(([path, text]) => [path, encoder.encode(text)])),
      }),
      modelPath: 'ens',
      versionPath: 'ens/1',
      log: {
        error: (message) => void log.push(message),
        warning() {},
        info() {},
        verbose() {},
      },
    },
  })
  return {
    clock,
    ensemble,
    models: held,
    log,
    replace(model) {
      held.set(model.name, model)
      generation++
    },
    send: (inputs, options = {}) => send(ensemble, inputs, options),
  }
}

/** Sends a request as a front end does. */
export function send(
  model: Pick<LoadedModel, 'check' | 'submit'>,
  inputs: readonly Tensor[],
  options: Partial<InferRequestOptions> = {},
): Sent {
  const answers: (InferResponse | ServerError | null)[] = []
  let finals = 0
  const request = new InferRequest(
    { inputs, ...options },
    {
      answer(_request, answer, final) {
        answers.push(answer)
        if (final) finals++
      },
    },
  )
  model.check(request)
  model.submit(request)
  return {
    request,
    answers,
    get finals() {
      return finals
    },
    get error() {
      const error = answers.find((answer) => answer instanceof ServerError)
      return error === undefined ? '' : `${(error as ServerError).code} ${error.message}`
    },
    get response() {
      const [answer] = answers
      if (answers.length !== 1) throw new Error(`there are ${answers.length} answers`)
      if (answer instanceof ServerError || answer === null || answer === undefined) {
        throw answer ?? new Error('no response')
      }
      return answer
    },
    get values() {
      return Object.fromEntries(this.response.outputs.map((one) => [one.name, valuesOf(one)]))
    },
  }
}

/** A model of one input `I` and one output `O` that answers `I + add` at once; without `add` the test answers. */
export const one = (name: string, add?: number): ManualModel =>
  manualModel({
    config: modelConfig(name, ['I'], ['O']),
    ...(add === undefined ? {} : { run: (request) => answerPlus(request, add) }),
  })
export const CHAIN: readonly StepSpec[] = [
  ['a', { I: 'X' }, { O: 't' }],
  ['b', { I: 't' }, { O: 'Y' }],
]
export const DIAMOND: readonly StepSpec[] = [
  ['a', { I: 'X' }, { O: 't' }],
  ['b', { I: 't' }, { O: 'l' }],
  ['c', { I: 't' }, { O: 'r' }],
  ['join', { L: 'l', R: 'r' }, { O: 'Y' }],
]
export const join = (): ManualModel =>
  manualModel({ config: modelConfig('join', ['L', 'R'], ['O']) })
