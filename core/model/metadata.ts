import { datatypeOfConfig } from '../config/datatypes.ts'
import type { ConfigDatatype, ModelConfig } from '../config/types.ts'
import { ServerError } from '../errors.ts'
import type { TensorMetadata } from '../server-types.ts'
import type { Datatype } from '../tensor.ts'

/** The inputs and outputs of a complete config as clients see them. */
export function tensorMetadata(config: ModelConfig): {
  readonly inputs: readonly TensorMetadata[]
  readonly outputs: readonly TensorMetadata[]
} {
  const batched = (config.max_batch_size ?? 0) > 0
  const describe = (io: NonNullable<ModelConfig['output']>[number]): TensorMetadata => ({
    name: io.name ?? '',
    datatype: datatypeOf(io.data_type, io.name),
    shape: batched ? [-1, ...(io.dims ?? [])] : [...(io.dims ?? [])],
  })
  return {
    inputs: (config.input ?? []).map(describe),
    outputs: (config.output ?? []).map(describe),
  }
}

/** The datatype of the tensor called `name`. Throws INVALID_ARG where the config gives none. */
export function datatypeOf(type: ConfigDatatype | undefined, name = ''): Datatype {
  const datatype = datatypeOfConfig(type)
  if (datatype === undefined) {
    throw new ServerError('INVALID_ARG', `tensor '${name}' must specify 'data_type'`)
  }
  return datatype
}
