import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeModel } from './models.ts'

/** A model in Python that answers X as Y; `config` is what its file says more. */
export function writePython(root: string, name: string, config: string): void {
  writeModel(root, { name, backend: 'python', config })
  writeCode(root, name, 1)
}

/** Its code, a file with other bytes for each `generation`. */
export function writeCode(root: string, name: string, generation: number): void {
  writeFileSync(
    join(root, name, '1/model.py'),
    `"""Generation ${generation}."""

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        tensors = [pb_utils.Tensor("Y", one.inputs()[0].as_numpy()) for one in requests]
        return [pb_utils.InferenceResponse([tensor]) for tensor in tensors]
`,
  )
}
