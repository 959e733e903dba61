import { inHashOrder } from '../config/hash-order.ts'
import type { EnsembleStep, ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import { type Condition, conditionsOf } from './condition.ts'

/** One end of a map: a name of the model's and the place of the ensemble tensor that it stands for. */
export interface Port {
  readonly name: string
  readonly slot: number
}

/** One step, its maps resolved to slots. */
export interface GraphStep {
  readonly index: number
  readonly model: string
  /** As a look-up takes it: '' = the highest version that serves. */
  readonly version: string
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
  /** What the step asks its model for. */
  readonly outputNames: readonly string[]
  /** The different tensors it waits for. */
  readonly slots: readonly number[]
  /** What has to hold for it to run. */
  readonly conditions: readonly StepCondition[]
}

/** A condition, its tensor resolved to a slot. */
export interface StepCondition extends Condition {
  readonly slot: number
}

/** An output of the ensemble. */
export interface GraphOutput extends Port {
  /** As the steps give it: the reshape where the config has one, without the batch dimension. */
  readonly dims: readonly number[]
}

/** An ensemble's config worked out for running: tensors are numbers (slots), so that a request costs arrays, not maps. */
export interface EnsembleGraph {
  readonly steps: readonly GraphStep[]
  /** How many tensors flow. */
  readonly slots: number
  readonly slotOf: ReadonlyMap<string, number>
  /** By slot: the steps that read it, each once. */
  readonly readers: readonly (readonly number[])[]
  /** By slot: the step that writes it; -1 for inputs of the ensemble. */
  readonly writers: readonly number[]
  /** Slots of inputs that a request may leave out. */
  readonly optionalInputs: readonly number[]
  /** Whether steps may be skipped. */
  readonly conditional: boolean
  /** In the order in which Triton answers: that of its hash table. */
  readonly outputs: readonly GraphOutput[]
}

/**
 * `config` passed its flow checks: names meet, every tensor is written once. Throws INVALID_ARG for conditions that no
 * tensor can meet.
 */
export function createGraph(config: ModelConfig): EnsembleGraph {
  const slotOf = new Map<string, number>()
  const slot = (tensor: string): number => {
    const known = slotOf.get(tensor)
    if (known !== undefined) return known
    slotOf.set(tensor, slotOf.size)
    return slotOf.size - 1
  }
  const ports = (map: Readonly<Record<string, string>> = {}): Port[] =>
    Object.entries(map).map(([name, tensor]) => ({ name, slot: slot(tensor) }))

  const inputs = (config.input ?? []).map((input) => ({
    slot: slot(input.name ?? ''),
    optional: input.optional === true,
  }))
  const outputs = (config.output ?? []).map((output) => ({
    name: output.name ?? '',
    slot: slot(output.name ?? ''),
    dims: output.reshape === undefined ? (output.dims ?? []) : (output.reshape.shape ?? []),
  }))
  const conditions = conditionsOf(config)
  const steps = (config.ensemble_scheduling?.step ?? []).map((step, index): GraphStep => {
    const from = ports(step.input_map)
    const to = ports(step.output_map)
    const own = conditions
      .filter((condition) => condition.step === index)
      .map((condition) => ({ ...condition, slot: slot(condition.tensor) }))
    return {
      index,
      model: step.model_name ?? '',
      version: versionText(step),
      inputs: from,
      outputs: to,
      outputNames: to.map((port) => port.name),
      slots: [...new Set([...from, ...own].map((port) => port.slot))],
      conditions: own,
    }
  })
  const readers: number[][] = Array.from({ length: slotOf.size }, () => [])
  const writers: number[] = new Array(slotOf.size).fill(-1)
  for (const step of steps) {
    for (const read of step.slots) readers[read]?.push(step.index)
    for (const port of step.outputs) writers[port.slot] = step.index
  }
  checkReach(config, { steps, readers, writers })
  return {
    steps,
    slots: slotOf.size,
    slotOf,
    readers,
    writers,
    conditional: conditions.length > 0,
    optionalInputs: inputs.filter((input) => input.optional).map((input) => input.slot),
    outputs: inHashOrder(outputs),
  }
}

/** The tensors of conditions exist, and no step waits for what comes after it. */
function checkReach(
  { name = '', input = [] }: ModelConfig,
  graph: Pick<EnsembleGraph, 'steps' | 'readers' | 'writers'>,
): void {
  const conditional = graph.steps.filter((step) => step.conditions.length > 0)
  if (conditional.length === 0) return
  const waits = graph.steps.map((step) => step.slots.length)
  const open = input.map((_, slot) => slot)
  for (let slot = open.pop(); slot !== undefined; slot = open.pop()) {
    for (const index of graph.readers[slot] ?? []) {
      waits[index] = (waits[index] as number) - 1
      if (waits[index] !== 0) continue
      for (const port of graph.steps[index]?.outputs ?? []) open.push(port.slot)
    }
  }
  const stuck = conditional.find((step) => waits[step.index] !== 0)
  if (stuck === undefined) return
  throw new ServerError(
    'INVALID_ARG',
    `in ensemble ${name}, parameter 'nereid_step_${stuck.index}_if': '${stuck.conditions[0]?.tensor}' is no tensor that is there before step ${stuck.index}`,
  )
}

/** What one request needs of a graph. */
export interface GraphPart {
  readonly outputs: readonly GraphOutput[]
  /** By slot: the needed steps that read it. */
  readonly readers: readonly (readonly number[])[]
  /** By slot: whether it is one of {@link outputs}. */
  readonly wanted: readonly boolean[]
}

/** The part of `graph` that leads to the outputs called `names`; null = all of them. */
export function partFor(graph: EnsembleGraph, names: readonly string[] | null): GraphPart {
  const outputs =
    names === null ? graph.outputs : graph.outputs.filter((output) => names.includes(output.name))
  const wanted: boolean[] = new Array(graph.slots).fill(false)
  for (const output of outputs) wanted[output.slot] = true
  if (outputs.length === graph.outputs.length) return { outputs, readers: graph.readers, wanted }
  const needed: boolean[] = new Array(graph.steps.length).fill(false)
  const open = outputs.map((output) => output.slot)
  for (let slot = open.pop(); slot !== undefined; slot = open.pop()) {
    const step = graph.steps[graph.writers[slot] as number]
    if (step === undefined || needed[step.index] === true) continue
    needed[step.index] = true
    for (const read of step.slots) open.push(read)
  }
  const readers = graph.readers.map((steps) => steps.filter((step) => needed[step] === true))
  return { outputs, readers, wanted }
}

/** The version a step asks for; a config that says nothing asks for version 0, which no model has (as in Triton). */
export function versionText(step: EnsembleStep): string {
  const version = step.model_version ?? 0
  return version === -1 ? '' : String(version)
}
