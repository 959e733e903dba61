import type { Pointer } from '../onnxruntime/functions.ts'
import type { OpenVinoApi } from './api.ts'

/** Element types that tensors are to have instead of the model's own, by name. */
export interface Conversions {
  readonly inputs: ReadonlyMap<string, number>
  readonly outputs: ReadonlyMap<string, number>
}

/** A model like `model` whose inputs and outputs are converted on their way. `model` stays the caller's. */
export function convertModel(api: OpenVinoApi, model: Pointer, wanted: Conversions): Pointer {
  const steps = api.result((out) => api.createPreprocessor(model, out))
  try {
    for (const [name, type] of wanted.inputs) convertInput(api, steps, name, type)
    for (const [name, type] of wanted.outputs) convertOutput(api, steps, name, type)
    return api.result((out) => api.buildPreprocessor(steps, out))
  } finally {
    api.freePreprocessor(steps)
  }
}

function convertInput(api: OpenVinoApi, steps: Pointer, name: string, type: number): void {
  const input = api.result((out) => api.preprocessorInput(steps, name, out))
  try {
    const tensor = api.result((out) => api.inputTensorInfo(input, out))
    try {
      api.check(api.setInputType(tensor, type))
    } finally {
      api.freeInputTensorInfo(tensor)
    }
  } finally {
    api.freePreprocessorInput(input)
  }
}

function convertOutput(api: OpenVinoApi, steps: Pointer, name: string, type: number): void {
  const output = api.result((out) => api.preprocessorOutput(steps, name, out))
  try {
    const tensor = api.result((out) => api.outputTensorInfo(output, out))
    try {
      api.check(api.setOutputType(tensor, type))
    } finally {
      api.freeOutputTensorInfo(tensor)
    }
  } finally {
    api.freePreprocessorOutput(output)
  }
}
