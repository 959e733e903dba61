import type { Server } from '../../../core/server.ts'
import { modelFiles } from './harness.ts'

/** Explicit control with nothing loaded at start. */
export const SOME = { modelControlMode: 'explicit' } as const
const io = (name: string, dims: number): string =>
  `name: "${name}" data_type: TYPE_INT32 dims: [ ${dims} ]`

/** An ensemble of identity models, one after another; `dims` and `version` as its config says them. */
function ensembleConfig(
  models: readonly string[],
  { dims = 2, version = -1, extra = '' } = {},
): string {
  const tensor = (i: number): string =>
    i === 0 ? 'INPUT0' : i === models.length ? 'OUTPUT0' : `t${i}`
  const steps = models.map(
    (model, i) => `{ model_name: "${model}" model_version: ${version}
      input_map { key: "INPUT0" value: "${tensor(i)}" }
      output_map { key: "OUTPUT0" value: "${tensor(i + 1)}" } }`,
  )
  return `platform: "ensemble" max_batch_size: 8
input [ { ${io('INPUT0', dims)} } ] output [ { ${io('OUTPUT0', dims)} } ]
ensemble_scheduling { step [ ${steps.join(', ')} ] } ${extra}`
}

/** Files of an ensemble of {@link ensembleConfig}. */
export const ensemble = (
  name: string,
  models: readonly string[],
  options?: Parameters<typeof ensembleConfig>[1],
): Record<string, string> => modelFiles(name, { config: ensembleConfig(models, options) })

/** State of each model in the index. */
export const states = async (server: Server) =>
  Object.fromEntries((await server.index(false)).map(({ name, state }) => [name, state]))

/** The message of what `work` rejects with; '' when it does not. */
export const failure = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => '',
    (error: Error) => error.message,
  )
