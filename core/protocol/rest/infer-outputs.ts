import type { ProtocolLimits } from '../limits.ts'
import { TYPE_ERRORS } from './json-error.ts'
import { asBoolean, asUnsigned, find, invalid, type JsonValue, memberString } from './json-value.ts'
import { parseRegionRef } from './shared-memory.ts'
import type { RequestedOutput } from './types.ts'

/** Reads `outputs`. An output that is listed twice counts once, in the form of its first mention. */
export function parseOutputs(value: JsonValue, limits: ProtocolLimits): readonly RequestedOutput[] {
  if (!Array.isArray(value)) throw invalid(`Unable to parse 'outputs': ${TYPE_ERRORS.array}`)
  if (value.length > limits.tensors) {
    throw invalid(`request has ${value.length} outputs, the limit is ${limits.tensors}`)
  }
  const outputs = new Map<string, RequestedOutput>()
  for (const item of value) {
    const output = parseOutput(item)
    if (!outputs.has(output.name)) outputs.set(output.name, output)
  }
  return [...outputs.values()]
}

function parseOutput(item: JsonValue): RequestedOutput {
  const parameters = find(item, 'parameters')
  const region = find(parameters, 'shared_memory_region')
  const classes = find(parameters, 'classification')
  const binary = find(parameters, 'binary_data')
  if (region !== undefined) {
    if (classes !== undefined) {
      throw invalid("Output can't set both 'shared_memory_region' and 'classification'")
    }
    if (binary !== undefined && asBoolean(binary, "Unable to set 'binary_data'")) {
      throw invalid("Output can't set both 'shared_memory_region' and 'binary_data'")
    }
  }
  const name = memberString(item, 'name', "Unable to parse 'name'")
  const classification =
    classes === undefined ? 0 : Number(asUnsigned(classes, "Unable to set 'classification'"))
  return {
    name,
    classification,
    region: region === undefined ? null : parseRegionRef(region, parameters),
    binary: binary === undefined ? false : asBoolean(binary, "Unable to parse 'binary_data'"),
  }
}

/** Names for the model; an empty list asks for all outputs, as no list does. */
export function outputNamesOf(
  outputs: readonly RequestedOutput[] | null,
): readonly string[] | null {
  return outputs === null || outputs.length === 0 ? null : outputs.map((output) => output.name)
}
