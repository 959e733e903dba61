/** Parts of the messages by which runtimes say that memory is short: SageMaker unloads other models and tries again. */
const TEXTS: readonly string[] = [
  'CUDA out of memory',
  'CUDA_OUT_OF_MEMORY',
  'Out of memory',
  'Out Of Memory',
  'out of memory',
  'MemoryError',
  'OutOfMemory',
  'OOM',
  'Dst tensor is not initialized',
  'Src tensor is not initialized',
  'CNMEM_STATUS_OUT_OF_MEMORY',
  'CUDNN_STATUS_NOT_INITIALIZED',
  'CUBLAS_STATUS_ALLOC_FAILED',
  'CUBLAS_STATUS_NOT_INITIALIZED',
  'Failed to allocate memory',
  'failed to allocate memory',
  'No space left on device',
]

/** What a multi-model endpoint answers when memory is short. */
export const OUT_OF_MEMORY_STATUS = 507

export function saysOutOfMemory(message: string): boolean {
  return TEXTS.some((text) => message.includes(text))
}
