/**
 * The slice of OrtApi that is used: index in the C table, result, arguments. The table only ever grows at its end, so
 * an index holds for every later version. Opaque handles travel as addresses (`uintptr_t`), memory that JavaScript
 * owns as typed arrays (`void *`).
 */
export const FUNCTIONS = {
  getErrorCode: [1, 'int', ['uintptr_t']],
  getErrorMessage: [2, 'str', ['uintptr_t']],
  createEnv: [3, 'uintptr_t', ['int', 'str', 'void *']],
  createSession: [7, 'uintptr_t', ['uintptr_t', 'str', 'uintptr_t', 'void *']],
  createSessionFromArray: [
    8,
    'uintptr_t',
    ['uintptr_t', 'void *', 'size_t', 'uintptr_t', 'void *'],
  ],
  run: [
    9,
    'uintptr_t',
    [
      'uintptr_t',
      'uintptr_t',
      'uintptr_t',
      'uintptr_t',
      'size_t',
      'uintptr_t',
      'size_t',
      'uintptr_t',
    ],
  ],
  createSessionOptions: [10, 'uintptr_t', ['void *']],
  setSessionExecutionMode: [13, 'uintptr_t', ['uintptr_t', 'int']],
  enableMemPattern: [16, 'uintptr_t', ['uintptr_t']],
  disableMemPattern: [17, 'uintptr_t', ['uintptr_t']],
  enableCpuMemArena: [18, 'uintptr_t', ['uintptr_t']],
  disableCpuMemArena: [19, 'uintptr_t', ['uintptr_t']],
  setSessionGraphOptimizationLevel: [23, 'uintptr_t', ['uintptr_t', 'int']],
  setIntraOpNumThreads: [24, 'uintptr_t', ['uintptr_t', 'int']],
  setInterOpNumThreads: [25, 'uintptr_t', ['uintptr_t', 'int']],
  sessionGetInputCount: [30, 'uintptr_t', ['uintptr_t', 'void *']],
  sessionGetOutputCount: [31, 'uintptr_t', ['uintptr_t', 'void *']],
  sessionGetInitializerCount: [32, 'uintptr_t', ['uintptr_t', 'void *']],
  sessionGetInputTypeInfo: [33, 'uintptr_t', ['uintptr_t', 'size_t', 'void *']],
  sessionGetOutputTypeInfo: [34, 'uintptr_t', ['uintptr_t', 'size_t', 'void *']],
  sessionGetInitializerTypeInfo: [35, 'uintptr_t', ['uintptr_t', 'size_t', 'void *']],
  sessionGetInputName: [36, 'uintptr_t', ['uintptr_t', 'size_t', 'uintptr_t', 'void *']],
  sessionGetOutputName: [37, 'uintptr_t', ['uintptr_t', 'size_t', 'uintptr_t', 'void *']],
  sessionGetInitializerName: [38, 'uintptr_t', ['uintptr_t', 'size_t', 'uintptr_t', 'void *']],
  createRunOptions: [39, 'uintptr_t', ['void *']],
  runOptionsSetTerminate: [46, 'uintptr_t', ['uintptr_t']],
  runOptionsUnsetTerminate: [47, 'uintptr_t', ['uintptr_t']],
  createTensorAsOrtValue: [48, 'uintptr_t', ['uintptr_t', 'void *', 'size_t', 'int', 'void *']],
  createTensorWithDataAsOrtValue: [
    49,
    'uintptr_t',
    ['uintptr_t', 'uintptr_t', 'size_t', 'void *', 'size_t', 'int', 'void *'],
  ],
  getTensorMutableData: [51, 'uintptr_t', ['uintptr_t', 'void *']],
  getStringTensorDataLength: [53, 'uintptr_t', ['uintptr_t', 'void *']],
  getStringTensorContent: [54, 'uintptr_t', ['uintptr_t', 'void *', 'size_t', 'void *', 'size_t']],
  castTypeInfoToTensorInfo: [55, 'uintptr_t', ['uintptr_t', 'void *']],
  getOnnxTypeFromTypeInfo: [56, 'uintptr_t', ['uintptr_t', 'void *']],
  getTensorElementType: [60, 'uintptr_t', ['uintptr_t', 'void *']],
  getDimensionsCount: [61, 'uintptr_t', ['uintptr_t', 'void *']],
  getDimensions: [62, 'uintptr_t', ['uintptr_t', 'void *', 'size_t']],
  getTensorTypeAndShape: [65, 'uintptr_t', ['uintptr_t', 'void *']],
  createCpuMemoryInfo: [69, 'uintptr_t', ['int', 'int', 'void *']],
  allocatorFree: [76, 'uintptr_t', ['uintptr_t', 'uintptr_t']],
  getAllocatorWithDefaultOptions: [78, 'uintptr_t', ['void *']],
  releaseEnv: [92, 'void', ['uintptr_t']],
  releaseStatus: [93, 'void', ['uintptr_t']],
  releaseMemoryInfo: [94, 'void', ['uintptr_t']],
  releaseSession: [95, 'void', ['uintptr_t']],
  releaseValue: [96, 'void', ['uintptr_t']],
  releaseRunOptions: [97, 'void', ['uintptr_t']],
  releaseTypeInfo: [98, 'void', ['uintptr_t']],
  releaseTensorTypeAndShapeInfo: [99, 'void', ['uintptr_t']],
  releaseSessionOptions: [100, 'void', ['uintptr_t']],
  createEnvWithGlobalThreadPools: [119, 'uintptr_t', ['int', 'str', 'uintptr_t', 'void *']],
  disablePerSessionThreads: [120, 'uintptr_t', ['uintptr_t']],
  createThreadingOptions: [121, 'uintptr_t', ['void *']],
  releaseThreadingOptions: [122, 'void', ['uintptr_t']],
  getAvailableProviders: [125, 'uintptr_t', ['void *', 'void *']],
  releaseAvailableProviders: [126, 'uintptr_t', ['uintptr_t', 'int']],
  addSessionConfigEntry: [130, 'uintptr_t', ['uintptr_t', 'str', 'str']],
  runWithBinding: [133, 'uintptr_t', ['uintptr_t', 'uintptr_t', 'uintptr_t']],
  createIoBinding: [134, 'uintptr_t', ['uintptr_t', 'void *']],
  releaseIoBinding: [135, 'void', ['uintptr_t']],
  bindInput: [136, 'uintptr_t', ['uintptr_t', 'uintptr_t', 'uintptr_t']],
  bindOutput: [137, 'uintptr_t', ['uintptr_t', 'uintptr_t', 'uintptr_t']],
  bindOutputToDevice: [138, 'uintptr_t', ['uintptr_t', 'uintptr_t', 'uintptr_t']],
  getBoundOutputValues: [140, 'uintptr_t', ['uintptr_t', 'uintptr_t', 'void *', 'void *']],
  clearBoundInputs: [141, 'void', ['uintptr_t']],
  clearBoundOutputs: [142, 'void', ['uintptr_t']],
  setGlobalIntraOpNumThreads: [147, 'uintptr_t', ['uintptr_t', 'int']],
  setGlobalInterOpNumThreads: [148, 'uintptr_t', ['uintptr_t', 'int']],
  addRunConfigEntry: [165, 'uintptr_t', ['uintptr_t', 'str', 'str']],
  appendTensorRt: [170, 'uintptr_t', ['uintptr_t', 'uintptr_t']],
  createTensorRtOptions: [171, 'uintptr_t', ['void *']],
  updateTensorRtOptions: [172, 'uintptr_t', ['uintptr_t', 'str *', 'str *', 'size_t']],
  releaseTensorRtOptions: [174, 'void', ['uintptr_t']],
  synchronizeBoundInputs: [202, 'uintptr_t', ['uintptr_t']],
  synchronizeBoundOutputs: [203, 'uintptr_t', ['uintptr_t']],
  appendCuda: [204, 'uintptr_t', ['uintptr_t', 'uintptr_t']],
  createCudaOptions: [205, 'uintptr_t', ['void *']],
  updateCudaOptions: [206, 'uintptr_t', ['uintptr_t', 'str *', 'str *', 'size_t']],
  releaseCudaOptions: [208, 'void', ['uintptr_t']],
  appendProvider: [216, 'uintptr_t', ['uintptr_t', 'str', 'str *', 'str *', 'size_t']],
  registerCustomOpsLibrary: [228, 'uintptr_t', ['uintptr_t', 'str']],
  getResizedStringTensorElementBuffer: [
    252,
    'uintptr_t',
    ['uintptr_t', 'size_t', 'size_t', 'void *'],
  ],
  setLoadCancellationFlag: [293, 'uintptr_t', ['uintptr_t', 'bool']],
} as const

/** The API version that has all of them: 1.22. */
export const API_VERSION = 22

/** A C address. User-space addresses are below 2^47, so a double holds them exactly. 0 is NULL. */
export type Pointer = number

interface Types {
  readonly bool: boolean
  readonly int: number
  readonly size_t: number
  readonly str: string
  readonly 'str *': readonly string[]
  readonly uintptr_t: Pointer
  readonly void: undefined
  readonly 'void *': ArrayBufferView
}

type Arguments<A extends readonly (keyof Types)[]> = { [I in keyof A]: Types[A[I]] }

/** A C function: called here and now, or on libuv's pool with the result handed to `done`. */
export interface Callable<A extends unknown[], R> {
  (...args: A): R
  async(...args: [...A, done: (error: Error | null, result: R) => void]): void
}

type Entry<T> = T extends readonly [number, infer R extends keyof Types, infer A]
  ? A extends readonly (keyof Types)[]
    ? Callable<[...Arguments<A>], Types[R]>
    : never
  : never

/** Every function of the table, typed from it. */
export type Functions = { readonly [K in keyof typeof FUNCTIONS]: Entry<(typeof FUNCTIONS)[K]> }
