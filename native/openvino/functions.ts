import type { Callable, Pointer } from '../onnxruntime/functions.ts'

/**
 * What is used of OpenVINO's C API (`openvino/c/*.h`): symbol, result, arguments. Handles travel as addresses (`uintptr_t`),
 * memory of ours that a function writes results into as typed arrays (`void *`). `ov_shape_t` and `ov_dimension_t`, two
 * 64-bit integers, are passed by value as two arguments: both calling conventions that are served (System V x86-64,
 * AAPCS64) put such a struct into two registers, and no function here has so many arguments that registers run out.
 */
export const FUNCTIONS = {
  getVersion: ['ov_get_openvino_version', 'int', ['void *']],
  freeVersion: ['ov_version_free', 'void', ['void *']],
  errorText: ['ov_get_error_info', 'str', ['int']],
  lastError: ['ov_get_last_err_msg', 'uintptr_t', []],
  free: ['ov_free', 'void', ['uintptr_t']],

  createCore: ['ov_core_create', 'int', ['void *']],
  freeCore: ['ov_core_free', 'void', ['uintptr_t']],
  availableDevices: ['ov_core_get_available_devices', 'int', ['uintptr_t', 'void *']],
  freeAvailableDevices: ['ov_available_devices_free', 'void', ['void *']],
  readModel: ['ov_core_read_model', 'int', ['uintptr_t', 'str', 'str?', 'void *']],
  readModelFromMemory: [
    'ov_core_read_model_from_memory_buffer',
    'int',
    ['uintptr_t', 'uintptr_t', 'size_t', 'uintptr_t', 'void *'],
  ],
  // Variadic in C; the properties' keys and values are ordinary arguments to Linux' calling conventions. Unused ones stay NULL.
  compileModel: [
    'ov_core_compile_model',
    'int',
    [
      'uintptr_t',
      'uintptr_t',
      'str',
      'size_t',
      'void *',
      'str?',
      'str?',
      'str?',
      'str?',
      'str?',
      'str?',
      'str?',
      'str?',
      'str?',
      'str?',
      'str?',
      'str?',
    ],
  ],

  freeModel: ['ov_model_free', 'void', ['uintptr_t']],
  modelInputs: ['ov_model_inputs_size', 'int', ['uintptr_t', 'void *']],
  modelOutputs: ['ov_model_outputs_size', 'int', ['uintptr_t', 'void *']],
  modelInput: ['ov_model_const_input_by_index', 'int', ['uintptr_t', 'size_t', 'void *']],
  modelOutput: ['ov_model_const_output_by_index', 'int', ['uintptr_t', 'size_t', 'void *']],
  reshapeModel: ['ov_model_reshape', 'int', ['uintptr_t', 'str *', 'void *', 'size_t']],
  portName: ['ov_port_get_any_name', 'int', ['uintptr_t', 'void *']],
  portElementType: ['ov_port_get_element_type', 'int', ['uintptr_t', 'void *']],
  portPartialShape: ['ov_port_get_partial_shape', 'int', ['uintptr_t', 'void *']],
  freePartialShape: ['ov_partial_shape_free', 'void', ['void *']],
  freePort: ['ov_output_const_port_free', 'void', ['uintptr_t']],

  createPreprocessor: ['ov_preprocess_prepostprocessor_create', 'int', ['uintptr_t', 'void *']],
  freePreprocessor: ['ov_preprocess_prepostprocessor_free', 'void', ['uintptr_t']],
  buildPreprocessor: ['ov_preprocess_prepostprocessor_build', 'int', ['uintptr_t', 'void *']],
  preprocessorInput: [
    'ov_preprocess_prepostprocessor_get_input_info_by_name',
    'int',
    ['uintptr_t', 'str', 'void *'],
  ],
  freePreprocessorInput: ['ov_preprocess_input_info_free', 'void', ['uintptr_t']],
  inputTensorInfo: ['ov_preprocess_input_info_get_tensor_info', 'int', ['uintptr_t', 'void *']],
  freeInputTensorInfo: ['ov_preprocess_input_tensor_info_free', 'void', ['uintptr_t']],
  setInputType: ['ov_preprocess_input_tensor_info_set_element_type', 'int', ['uintptr_t', 'int']],
  preprocessorOutput: [
    'ov_preprocess_prepostprocessor_get_output_info_by_name',
    'int',
    ['uintptr_t', 'str', 'void *'],
  ],
  freePreprocessorOutput: ['ov_preprocess_output_info_free', 'void', ['uintptr_t']],
  outputTensorInfo: ['ov_preprocess_output_info_get_tensor_info', 'int', ['uintptr_t', 'void *']],
  freeOutputTensorInfo: ['ov_preprocess_output_tensor_info_free', 'void', ['uintptr_t']],
  setOutputType: ['ov_preprocess_output_set_element_type', 'int', ['uintptr_t', 'int']],

  freeCompiledModel: ['ov_compiled_model_free', 'void', ['uintptr_t']],
  createInferRequest: ['ov_compiled_model_create_infer_request', 'int', ['uintptr_t', 'void *']],
  compiledProperty: ['ov_compiled_model_get_property', 'int', ['uintptr_t', 'str', 'void *']],

  freeInferRequest: ['ov_infer_request_free', 'void', ['uintptr_t']],
  setInput: [
    'ov_infer_request_set_input_tensor_by_index',
    'int',
    ['uintptr_t', 'size_t', 'uintptr_t'],
  ],
  setOutput: [
    'ov_infer_request_set_output_tensor_by_index',
    'int',
    ['uintptr_t', 'size_t', 'uintptr_t'],
  ],
  infer: ['ov_infer_request_infer', 'int', ['uintptr_t']],
  cancel: ['ov_infer_request_cancel', 'int', ['uintptr_t']],

  createTensor: ['ov_tensor_create', 'int', ['int', 'int64', 'void *', 'void *']],
  createTensorOver: [
    'ov_tensor_create_from_host_ptr',
    'int',
    ['int', 'int64', 'void *', 'uintptr_t', 'void *'],
  ],
  freeTensor: ['ov_tensor_free', 'void', ['uintptr_t']],
  tensorData: ['ov_tensor_data', 'int', ['uintptr_t', 'void *']],
  tensorShape: ['ov_tensor_get_shape', 'int', ['uintptr_t', 'void *']],
  tensorElementType: ['ov_tensor_get_element_type', 'int', ['uintptr_t', 'void *']],
  tensorByteSize: ['ov_tensor_get_byte_size', 'int', ['uintptr_t', 'void *']],
  freeShape: ['ov_shape_free', 'int', ['void *']],
} as const

/** Functions that older libraries lack. */
export const OPTIONAL_FUNCTIONS = {
  addExtension: ['ov_core_add_extension', 'int', ['uintptr_t', 'str']],
  createStringTensor: [
    'ov_tensor_create_from_string_array',
    'int',
    ['void *', 'size_t', 'int64', 'void *', 'void *'],
  ],
} as const

/** Properties that `compileModel` has arguments for. */
export const MAX_PROPERTIES = 6

interface Types {
  readonly int: number
  readonly int64: number
  readonly size_t: number
  readonly str: string
  readonly 'str?': string | null
  readonly 'str *': readonly string[]
  readonly uintptr_t: Pointer
  readonly void: undefined
  readonly 'void *': ArrayBufferView
}

type Arguments<A extends readonly (keyof Types)[]> = { [I in keyof A]: Types[A[I]] }

type Entry<T> = T extends readonly [
  string,
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
