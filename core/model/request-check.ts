import type { ModelConfig } from '../config/types.ts'
import type { InferRequest } from '../infer.ts'
import { byteSize, elementCount, type Tensor } from '../tensor.ts'
import { type CheckTexts, createCheckTexts } from './check-texts.ts'
import { createFastCheck } from './fast-check.ts'
import { createInputPlans, type InputPlan } from './input-plan.ts'

/** Decides whether a request fits its model, before it is queued or counted. */
export interface RequestCheck {
  /**
   * Puts inputs in the config's order, reshapes them for the model and sets `batchSize`. Throws INVALID_ARG with Triton's
   * text. Once per request: a reshaped input does not pass a second time.
   */
  check(request: InferRequest): void
  /** True when the outcome depends on the bytes of some input (BYTES), not only on names, datatypes, shapes and sizes. */
  readonly checksContent: boolean
}

export function createRequestCheck(
  config: ModelConfig,
  modelName: string,
  version: number,
): RequestCheck {
  const plans = createInputPlans(config)
  const maxBatchSize = config.max_batch_size ?? 0
  const outputs = new Set((config.output ?? []).map((output) => output.name ?? ''))
  const texts = createCheckTexts(modelName, version)
  const fast = createFastCheck(plans, maxBatchSize)
  const thorough = createThoroughCheck(plans, maxBatchSize, texts)
  return {
    checksContent: plans.some((plan) => plan.datatype === 'BYTES'),
    check(request) {
      if (request.outputs !== null) {
        for (const name of request.outputs) {
          if (!outputs.has(name)) {
            // A duplicate input is found while the request is put together, before anything else.
            refuseDuplicates(request, texts)
            throw texts.unexpectedOutput(name)
          }
        }
      }
      const rows = fast === null ? 0 : fast(request.inputs)
      if (rows > 0) request.batchSize = rows
      else thorough(request)
    },
  }
}

function refuseDuplicates(request: InferRequest, texts: CheckTexts): void {
  const seen = new Set<string>()
  for (const { name } of request.inputs) {
    if (seen.has(name)) throw texts.duplicateInput(request, name)
    seen.add(name)
  }
}

/**
 * The check in Triton's order, one rule over all inputs before the next. Triton walks a request's inputs in the order of
 * its hash table, newest first, which decides which of two bad inputs is named: so does this.
 */
function createThoroughCheck(
  plans: readonly InputPlan[],
  maxBatchSize: number,
  texts: CheckTexts,
): (request: InferRequest) => void {
  const byName = new Map(plans.map((plan) => [plan.name, plan]))
  const required = plans.filter((plan) => !plan.optional).length
  const batches = maxBatchSize > 0

  return (request) => {
    refuseDuplicates(request, texts)
    const given = new Map<string, Tensor>()
    for (let i = request.inputs.length - 1; i >= 0; i--) {
      const input = request.inputs[i] as Tensor
      given.set(input.name, input)
    }
    if (given.size > plans.length || given.size < required) throw texts.inputCount(request, plans)
    for (const name of given.keys()) if (!byName.has(name)) throw texts.unexpectedInput(name)
    // Triton lets this pass when optional inputs make up the number, and leaves the error to the backend.
    if (plans.some((plan) => !plan.optional && !given.has(plan.name))) {
      throw texts.inputCount(request, plans)
    }

    const rows = batches ? rowsOf(request, given, byName, texts) : 0
    if (rows > maxBatchSize) throw texts.batchTooLarge(request, maxBatchSize)
    for (const [name, input] of given) {
      const plan = byName.get(name) as InputPlan
      given.set(name, checkInput({ request, input, plan, rows, batches, texts }))
    }
    const ordered: Tensor[] = []
    for (const plan of plans) {
      const input = given.get(plan.name)
      if (input !== undefined) ordered.push(input)
    }
    request.inputs = ordered
    request.batchSize = Math.max(1, rows)
  }
}

/** The common first dimension; 0 when every input has none of it. */
function rowsOf(
  request: InferRequest,
  given: ReadonlyMap<string, Tensor>,
  plans: ReadonlyMap<string, InputPlan>,
  texts: CheckTexts,
): number {
  let rows = 0
  for (const [name, { shape }] of given) {
    if (plans.get(name)?.isShapeTensor === true) continue
    const size = shape[0]
    if (size === undefined) throw texts.noBatchDimension(request, name)
    if (rows === 0) rows = size
    else if (size !== rows) throw texts.batchMismatch(request, name)
  }
  return rows
}

interface CheckedInput {
  readonly request: InferRequest
  readonly input: Tensor
  readonly plan: InputPlan
  /** 0 = without a batch dimension, or an empty batch, which Triton sizes as if it had none. */
  readonly rows: number
  readonly batches: boolean
  readonly texts: CheckTexts
}

/** `input` as the model gets it. */
function checkInput(checked: CheckedInput): Tensor {
  const { request, input, plan, rows, batches, texts } = checked
  if (input.datatype !== plan.datatype) throw texts.datatype(request, input, plan)
  const hasRows = batches && !plan.isShapeTensor
  const item = hasRows ? input.shape.slice(1) : input.shape
  if (!fits(item, plan.dims)) throw texts.shape(request, input, plan, batches)

  const inner = plan.reshape === null ? item : reshaped(item, plan)
  const shape = hasRows && rows !== 0 ? [rows, ...inner] : inner
  if (!plan.skipsSize) {
    const expected = expectedSize(checked, shape)
    if (plan.elementSize === 0) checkStrings(checked, expected)
    else if (expected !== input.data.length) throw texts.byteSize(request, input, expected)
  }
  // Only an input without elements gets here with an empty batch: nothing a model could run on.
  if (hasRows && rows === 0) throw texts.shape(request, input, plan, batches)
  return plan.reshape === null ? input : { ...input, shape }
}

/** Elements for BYTES, bytes for everything else. */
function expectedSize({ request, input, plan, texts }: CheckedInput, shape: readonly number[]) {
  try {
    return plan.elementSize === 0 ? elementCount(shape) : byteSize(plan.datatype, shape)
  } catch (error) {
    throw texts.uncountable(request, input.name, error)
  }
}

function fits(item: readonly number[], dims: readonly number[]): boolean {
  if (item.length !== dims.length) return false
  for (let i = 0; i < dims.length; i++) if (dims[i] !== -1 && dims[i] !== item[i]) return false
  return true
}

/** Free dimensions of the request fill the free dimensions of the reshape, in order. */
function reshaped(item: readonly number[], plan: InputPlan): readonly number[] {
  const free = item.filter((_, i) => plan.dims[i] === -1)
  let next = 0
  return (plan.reshape ?? []).map((dim) => (dim === -1 ? (free[next++] ?? 0) : dim))
}

function checkStrings({ request, input, texts }: CheckedInput, expected: number): void {
  const { name, data } = input
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  let count = 0
  let at = 0
  while (at < data.length) {
    const available = data.length - at
    if (available < 4) throw texts.stringLength(request, name, available)
    if (++count > expected) throw texts.extraString(request, name, count, expected)
    const length = view.getUint32(at, true)
    at += 4
    if (length > data.length - at) {
      if (count < expected) throw texts.stringCount(request, name, expected, count)
      throw texts.stringData(name, length, data.length - at)
    }
    at += length
  }
  if (count !== expected) throw texts.stringCount(request, name, expected, count)
}
