import { messageOf, ServerError } from '../errors.ts'
import type { LoadOverrides } from '../server-types.ts'
import { type ModelPlan, type PlanOptions, planModel } from './plan.ts'
import type { ModelFiles } from './snapshot.ts'

export interface PollModelOptions {
  readonly name: string
  readonly find: (options: PlanOptions) => Promise<ModelFiles>
  readonly overrides: LoadOverrides
  readonly options: PlanOptions
  /** Told of a fault in the model's own files. */
  readonly onFault: (error: unknown) => void
}

/** Finds a model and reads its configuration. Throws Triton's one text for whatever goes wrong; the log has the reason. */
export async function pollModel(poll: PollModelOptions): Promise<ModelPlan> {
  const { name, overrides, options } = poll
  let found = false
  try {
    options.signal?.throwIfAborted()
    const files = await poll.find(options)
    found = true
    for (const line of files.skipped) options.log.warning(line)
    return await planModel(files, overrides, options)
  } catch (error) {
    options.log.error(`Poll failed for model directory '${name}': ${messageOf(error)}`)
    if (found && overrides.config === undefined) poll.onFault(error)
    if (!found && error instanceof ServerError && overrides.files !== undefined) {
      if (error.code === 'INVALID_ARG') throw error
    }
    throw new ServerError(
      'INTERNAL',
      `failed to load '${name}', failed to poll from model repository`,
      { cause: error },
    )
  }
}
