import type { Rule } from './rule.ts'

export const batchInputsFit: Rule = ({ config, name, fail }) => {
  const inputs = new Set((config.input ?? []).map((input) => input.name))
  for (const [i, batch] of (config.batch_input ?? []).entries()) {
    const kind = batch.kind ?? 'BATCH_ELEMENT_COUNT'
    const sources = batch.source_input ?? []
    const problem =
      sources.length !== 1
        ? `batch input kind '${kind}' expects 1 source input, got ${sources.length}`
        : batch.data_type !== 'TYPE_INT32' && batch.data_type !== 'TYPE_FP32'
          ? 'batch input data type must be TYPE_INT32 or TYPE_FP32'
          : unknownSource(sources, inputs)
    if (problem !== undefined) throw fail(`batch_input[${i}]`, `${problem} for ${name}`)
  }
}

export const batchOutputsFit: Rule = ({ config, name, fail }) => {
  const inputs = new Set((config.input ?? []).map((input) => input.name))
  const outputs = new Set((config.output ?? []).map((output) => output.name))
  for (const [i, batch] of (config.batch_output ?? []).entries()) {
    const kind = batch.kind ?? 'BATCH_SCATTER_WITH_INPUT_SHAPE'
    const sources = batch.source_input ?? []
    const targets = batch.target_name ?? []
    const unknown = targets.find((target) => !outputs.has(target))
    const twice = firstRepeated(targets)
    const problem =
      sources.length !== 1
        ? `batch output kind '${kind}' expects 1 source input, got ${sources.length}`
        : (unknownSource(sources, inputs) ??
          (unknown !== undefined
            ? `unknown target output name '${unknown}'`
            : twice !== undefined
              ? `target output name '${twice}' can only be specified once`
              : undefined))
    if (problem !== undefined) throw fail(`batch_output[${i}]`, `${problem} for ${name}`)
  }
}

function unknownSource(
  sources: readonly string[],
  inputs: ReadonlySet<string | undefined>,
): string | undefined {
  const source = sources.find((name) => !inputs.has(name))
  return source === undefined ? undefined : `unknown source input name '${source}'`
}

function firstRepeated(names: readonly string[]): string | undefined {
  const seen = new Set<string>()
  return names.find((name) => seen.size === seen.add(name).size)
}
