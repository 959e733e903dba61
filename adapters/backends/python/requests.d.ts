import type { InferRequest, InferRequestOptions } from '../../../core/infer.ts'
import type { Tensor } from '../../../core/tensor.ts'
import type { WireTensor } from './received-tensors.ts'
import type { TensorWriter } from './tensor-writer.ts'
/** A request as a worker reads it; what is as it mostly is stays away. */
export declare function requestJson(request: InferRequest, writer: TensorWriter): string
/** What a worker's request says, as the server takes it. Throws for what is no request. */
export declare function readRequest(
  value: unknown,
  check: (list: unknown) => readonly WireTensor[],
): (tensors: (list: readonly WireTensor[]) => Tensor[]) => InferRequestOptions
