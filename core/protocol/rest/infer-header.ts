import type { ProtocolLimits } from '../limits.ts'
import { jsonTooLarge, parseInput } from './infer-input.ts'
import { outputNamesOf, parseOutputs } from './infer-outputs.ts'
import { NO_PARAMETERS, parseId, parseParameters } from './infer-parameters.ts'
import { missingMember, TYPE_ERRORS } from './json-error.ts'
import { JsonReader } from './json-reader.ts'
import { invalid, type JsonValue } from './json-value.ts'
import type { InferHeader, InputSlot } from './types.ts'

const KEYS = ['id', 'parameters', 'inputs', 'outputs'].map((key) => new TextEncoder().encode(key))
const ID = 0
const PARAMETERS = 1
const INPUTS = 2
const OUTPUTS = 3

/**
 * Reads the JSON part of an infer request. Errors come in Triton's order, whatever order the members are in: syntax, id,
 * parameters, inputs, outputs.
 */
export function parseInferHeader(json: Uint8Array, limits: ProtocolLimits): InferHeader {
  const reader = new JsonReader(json, limits)
  const found: (JsonValue | undefined)[] = [undefined, undefined, undefined, undefined]
  let slots: InputSlot[] | null = null
  let inputsError: unknown = null

  if (reader.peek() !== 0x7b) {
    reader.document()
    throw missingInputs()
  }
  reader.enter()
  let seen = 0
  let count = 0
  let more = reader.member(true, count)
  while (more) {
    const key = reader.key(KEYS)
    reader.colon()
    const first = key >= 0 && (seen & (1 << key)) === 0
    if (key >= 0) seen |= 1 << key
    if (!first) reader.skip()
    else if (key === INPUTS && reader.peek() === 0x5b) {
      const inputs = readInputs(reader, limits)
      slots = inputs.slots
      inputsError = inputs.error
    } else found[key] = reader.value()
    more = reader.nextMember() && reader.member(false, ++count)
  }
  reader.finish()

  const id = parseId(found[ID], limits)
  const parameters =
    found[PARAMETERS] === undefined ? NO_PARAMETERS : parseParameters(found[PARAMETERS], limits)
  if (slots === null) {
    if (found[INPUTS] === undefined) throw missingInputs()
    throw invalid(`Unable to parse 'inputs': ${TYPE_ERRORS.array}`)
  }
  if (inputsError !== null) throw inputsError
  const checked = checkInputs(slots, id, limits)
  const outputs = found[OUTPUTS] === undefined ? null : parseOutputs(found[OUTPUTS], limits)
  return {
    id,
    inputs: slots,
    format: { outputs, binaryDefault: parameters.binaryDefault },
    outputNames: outputNamesOf(outputs),
    priority: parameters.priority,
    timeoutUs: parameters.timeoutUs,
    sequenceId: parameters.sequenceId,
    sequenceStart: parameters.sequenceStart,
    sequenceEnd: parameters.sequenceEnd,
    parameters: parameters.custom,
    binaryBytes: checked.binary,
    regions: checked.regions || (outputs?.some((output) => output.region !== null) ?? false),
    reusable: checked.reusable,
  }
}

function missingInputs(): Error {
  return invalid(`Unable to parse 'inputs': ${missingMember('inputs')}`)
}

/** Reads every input; the first that is wrong leaves its error, and the rest is read for its syntax. */
function readInputs(
  reader: JsonReader,
  limits: ProtocolLimits,
): { slots: InputSlot[]; error: unknown } {
  const slots: InputSlot[] = []
  let error: unknown = null
  let count = 0
  reader.enter()
  if (reader.firstElement()) {
    do {
      if (++count > limits.tensors || error !== null) {
        reader.skip()
        continue
      }
      const slot = parseInput(reader, limits)
      if (slot instanceof Error) error = slot
      else slots.push(slot)
    } while (reader.nextElement())
  }
  if (count > limits.tensors) {
    error = invalid(`request has ${count} inputs, the limit is ${limits.tensors}`)
  }
  return { slots, error }
}

/** What concerns several inputs at once: names are unique, and JSON data stays below the size of a body. */
function checkInputs(
  slots: readonly InputSlot[],
  id: string,
  limits: ProtocolLimits,
): { binary: number; reusable: boolean; regions: boolean } {
  let binary = 0
  let regions = false
  let json = 0
  let reusable = true
  for (const slot of slots) {
    if (slot.region) regions = true
    else if (slot.data === null) binary += slot.binarySize
    else {
      reusable = false
      json += slot.data.length
      if (json > limits.bodyBytes) throw jsonTooLarge(slot.name, json, limits)
    }
  }
  const twice = duplicateName(slots)
  if (twice !== null) {
    const prefix = `[request id: ${id === '' ? '<id_unknown>' : id}] `
    throw invalid(`${prefix}input '${twice}' already exists in request`)
  }
  return { binary, reusable, regions }
}

/** Few inputs are compared with one another; many go through a set. */
const FEW = 8

function duplicateName(slots: readonly InputSlot[]): string | null {
  if (slots.length > FEW) {
    const names = new Set<string>()
    for (const { name } of slots) {
      if (names.has(name)) return name
      names.add(name)
    }
    return null
  }
  for (let i = 1; i < slots.length; i++) {
    for (let j = 0; j < i; j++) {
      if ((slots[i] as InputSlot).name === (slots[j] as InputSlot).name) {
        return (slots[i] as InputSlot).name
      }
    }
  }
  return null
}
