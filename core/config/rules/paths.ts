import { pathProblem } from '../check-path.ts'
import type { ModelConfig } from '../types.ts'
import type { Rule } from './rule.ts'

/** Every file that a config names, with the path of the field that names it. */
function* namedFiles(config: ModelConfig): Generator<[field: string, file: string | undefined]> {
  yield ['runtime', config.runtime]
  yield ['default_model_filename', config.default_model_filename]
  for (const file of Object.values(config.cc_model_filenames ?? {})) {
    yield ['cc_model_filenames', file]
  }
  for (const [i, output] of (config.output ?? []).entries()) {
    yield [`output[${i}].label_filename`, output.label_filename]
  }
  for (const [i, state] of (config.sequence_batching?.state ?? []).entries()) {
    for (const [k, initial] of (state.initial_state ?? []).entries()) {
      yield [`sequence_batching.state[${i}].initial_state[${k}].data_file`, initial.data_file]
    }
  }
  for (const [i, warmup] of (config.model_warmup ?? []).entries()) {
    for (const input of Object.values(warmup.inputs ?? {})) {
      yield [`model_warmup[${i}].inputs`, input.input_data_file]
    }
  }
  for (const [i, file] of (config.model_operations?.op_library_filename ?? []).entries()) {
    yield [`model_operations.op_library_filename[${i}]`, file]
  }
}

/** No field of a config leads out of the model's folder; '' is a field that was not set. */
export const filesStayInside: Rule = ({ config, name, fail }) => {
  for (const [field, file] of namedFiles(config)) {
    const optional = !field.startsWith('model_operations')
    const problem = file === undefined || (file === '' && optional) ? undefined : pathProblem(file)
    if (problem === undefined) continue
    const shown = JSON.stringify((file ?? '').slice(0, 80))
    throw fail(field, `${field} ${shown} ${problem} for ${name}`)
  }
}
