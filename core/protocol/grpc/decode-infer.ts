import { ServerError } from '../../errors.ts'
import type { RegionLease, RegionRef } from '../../shared-memory/types.ts'
import { type Datatype, isDatatype, type Tensor } from '../../tensor.ts'
import {
  type InferMessage,
  type MessageInput,
  type MessageOutput,
  parseInferMessage,
} from './infer-message.ts'
import { NO_PARAMETERS, readParameters } from './infer-parameters.ts'
import { parseModelVersion } from './model-version.ts'
import { classificationOf, regionOf } from './tensor-parameters.ts'
import { typedData } from './typed-data.ts'
import type { GrpcDecodeContext, GrpcInferRequest, GrpcOutput } from './types.ts'

/**
 * What Triton's datatype of an unknown name is called. It reaches the model's check, which is where Triton refuses it, too:
 * no config has it.
 */
const INVALID_DATATYPE = '<invalid>' as Datatype

/** Reads a ModelInferRequest. Throws ProtoError when it is malformed, ServerError with Triton's texts otherwise. */
export function decodeInferRequest(
  message: Uint8Array,
  context: GrpcDecodeContext,
): GrpcInferRequest {
  const parsed = parseInferMessage(message, context.limits)
  if (parsed.problem !== null) throw parsed.problem
  parseModelVersion(parsed.modelVersion)
  return bindInferMessage(parsed, context)
}

/**
 * Makes a request of `message`, in Triton's order: parameters, names, data, outputs. The model was found before. A lease
 * taken on the way is closed when it fails.
 */
export function bindInferMessage(
  message: InferMessage,
  context: GrpcDecodeContext,
): GrpcInferRequest {
  if (message.problem !== null) throw message.problem
  const { parameters } = message
  const known = parameters === null ? NO_PARAMETERS : readParameters(parameters, context.limits)
  refuseDuplicates(message)
  const regions = new Regions(context)
  try {
    const inputs = bindInputs(message, regions)
    const outputs = bindOutputs(message.outputs, regions)
    return {
      modelName: message.modelName,
      modelVersion: message.modelVersion,
      options: {
        id: message.id,
        inputs,
        outputs: outputs === null ? null : outputs.map((output) => output.name),
        parameters: known.custom,
        priority: known.priority,
        timeoutUs: known.timeoutUs,
        sequenceId: known.sequenceId,
        sequenceStart: known.sequenceStart,
        sequenceEnd: known.sequenceEnd,
      },
      outputs,
      emptyFinal: known.emptyFinal,
      lease: regions.lease,
    }
  } catch (error) {
    regions.lease?.close()
    throw error
  }
}

/** Takes a lease with the first region that a request names. */
class Regions {
  lease: RegionLease | null = null
  readonly #context: GrpcDecodeContext

  constructor(context: GrpcDecodeContext) {
    this.#context = context
  }

  for(ref: RegionRef): RegionLease {
    const { sharedMemory, owner } = this.#context
    if (sharedMemory === null) {
      throw new ServerError('NOT_FOUND', `Unable to find shared memory region: '${ref.region}'`)
    }
    this.lease ??= sharedMemory.lease(owner)
    return this.lease
  }
}

function refuseDuplicates({ inputs, id }: InferMessage): void {
  if (inputs.length < 2) return
  const seen = new Set<string>()
  for (const { name } of inputs) {
    if (seen.has(name)) {
      throw invalid(
        `[request id: ${id === '' ? '<id_unknown>' : id}] input '${name}' already exists in request`,
      )
    }
    seen.add(name)
  }
}

function bindInputs(message: InferMessage, regions: Regions): Tensor[] {
  const tensors: Tensor[] = []
  let raw = 0
  for (const input of message.inputs) {
    const region = regionOf(input.name, input.parameters)
    let data: Uint8Array
    if (region !== null) {
      if (input.contents !== null) {
        throw invalid(
          `unexpected 'content' provided when using shared memory for ${placeOf(input, message)}`,
        )
      }
      data = regions.for(region).input(region)
    } else if (input.contents !== null) {
      if (message.raw.length > 0) {
        throw invalid(
          `contents field must not be specified when using raw_input_contents for '${input.name}' for model '${message.modelName}'`,
        )
      }
      data = typedData(input.contents, input.datatype, input.name, message.modelName)
    } else {
      const given = message.raw[raw++]
      if (given === undefined) {
        throw invalid(`unable to find data for ${placeOf(input, message)} in request.`)
      }
      data = given
    }
    const { name, datatype, shape } = input
    tensors.push({
      name,
      datatype: isDatatype(datatype) ? datatype : INVALID_DATATYPE,
      shape,
      data,
    })
  }
  return tensors
}

/** An output that is listed twice counts once, with everything that is asked of it; null = all as they are. */
function bindOutputs(
  outputs: readonly MessageOutput[],
  regions: Regions,
): readonly GrpcOutput[] | null {
  if (outputs.length === 0) return null
  const bound = new Map<string, GrpcOutput>()
  for (const { name, parameters } of outputs) {
    const region = regionOf(name, parameters)
    const classification = classificationOf(parameters)
    if (region !== null) {
      if (classification > 0) {
        throw invalid("output can't set both 'shared_memory_region' and 'classification'")
      }
      regions.for(region).output(region)
    }
    const before = bound.get(name)
    bound.set(name, {
      name,
      classification: before?.classification || classification,
      region: before?.region ?? region,
    })
  }
  return [...bound.values()]
}

function placeOf(input: MessageInput, message: InferMessage): string {
  return `input tensor '${input.name}' for model '${message.modelName}'`
}

function invalid(message: string): ServerError {
  return new ServerError('INVALID_ARG', message)
}
