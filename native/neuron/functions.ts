import type { Callable, Pointer } from '../onnxruntime/functions.ts'

/**
 * What is used of `nrt.h`, `nrt_experimental.h` and `nrt_version.h`: names in order of preference (newer runtimes say
 * "vnc" where older ones say "nc"), result, arguments. Handles travel as addresses (`uintptr_t`), memory of ours that a
 * function writes results into as typed arrays (`void *`).
 */
export const FUNCTIONS = {
  init: [['nrt_init'], 'int', ['int', 'str', 'str']],
  close: [['nrt_close'], 'void', []],
  load: [['nrt_load'], 'int', ['uintptr_t', 'size_t', 'int32', 'int32', 'void *']],
  unload: [['nrt_unload'], 'int', ['uintptr_t']],
  modelCores: [
    ['nrt_get_model_vnc_count', 'nrt_get_model_nc_count'],
    'int',
    ['uintptr_t', 'void *'],
  ],
  visibleCores: [['nrt_get_visible_vnc_count', 'nrt_get_visible_nc_count'], 'int', ['void *']],
  tensorInfo: [['nrt_get_model_tensor_info'], 'int', ['uintptr_t', 'void *']],
  freeTensorInfo: [['nrt_free_model_tensor_info'], 'int', ['uintptr_t']],
  allocateTensor: [['nrt_tensor_allocate'], 'int', ['int', 'int', 'size_t', 'str', 'void *']],
  freeTensor: [['nrt_tensor_free'], 'void', ['void *']],
  writeTensor: [['nrt_tensor_write'], 'int', ['uintptr_t', 'uintptr_t', 'size_t', 'size_t']],
  readTensor: [['nrt_tensor_read'], 'int', ['uintptr_t', 'uintptr_t', 'size_t', 'size_t']],
  allocateSet: [['nrt_allocate_tensor_set'], 'int', ['void *']],
  destroySet: [['nrt_destroy_tensor_set'], 'void', ['void *']],
  addToSet: [['nrt_add_tensor_to_tensor_set'], 'int', ['uintptr_t', 'str', 'uintptr_t']],
  execute: [['nrt_execute'], 'int', ['uintptr_t', 'uintptr_t', 'uintptr_t']],
} as const

/** Functions that older runtimes lack. */
export const OPTIONAL_FUNCTIONS = {
  version: [['nrt_get_version'], 'int', ['void *', 'size_t']],
  instanceInfo: [['nrt_get_instance_info'], 'int', ['void *', 'size_t']],
  memoryStats: [['nrt_get_vnc_memory_stats'], 'int', ['uint32', 'void *', 'size_t', 'void *']],
} as const

interface Types {
  readonly int: number
  readonly int32: number
  readonly uint32: number
  readonly size_t: number
  readonly str: string
  readonly uintptr_t: Pointer
  readonly void: undefined
  readonly 'void *': ArrayBufferView
}

type Arguments<A extends readonly (keyof Types)[]> = { [I in keyof A]: Types[A[I]] }

type Entry<T> = T extends readonly [
  readonly string[],
  infer R extends keyof Types,
  infer A extends readonly (keyof Types)[],
]
  ? Callable<[...Arguments<A>], Types[R]>
  : never

/** Every function, typed from the tables. */
export type Functions = {
  readonly [K in keyof typeof FUNCTIONS]: Entry<(typeof FUNCTIONS)[K]>
} & {
  readonly [K in keyof typeof OPTIONAL_FUNCTIONS]: Entry<(typeof OPTIONAL_FUNCTIONS)[K]> | null
}
