import type { ServerError } from '../../../../core/errors.ts'
import { InferRequest, type InferResponse } from '../../../../core/infer.ts'
import type { Tensor } from '../../../../core/tensor.ts'
import { realClock } from '../onnx-fixtures.ts'
import type { Serving } from './rig.ts'

export type Answer = InferResponse | ServerError | null

/** A request on its way and what came of it so far. */
export interface Asked {
  readonly request: InferRequest
  readonly answers: readonly Answer[]
  /** All answers but for a last one that is none. */
  readonly done: Promise<readonly Answer[]>
}

export function ask({ server }: Serving, model: string, inputs: readonly Tensor[]): Asked {
  const answers: Answer[] = []
  let finish: (answers: readonly Answer[]) => void = () => {}
  const done = new Promise<readonly Answer[]>((resolve) => {
    finish = resolve
  })
  const request = new InferRequest(
    { inputs },
    {
      answer(_request, answer, final) {
        if (answer !== null) answers.push(answer)
        if (final) finish(answers)
      },
    },
  )
  const served = server.model(model, '')
  request.startNs = realClock.now()
  served.check(request)
  served.submit(request)
  return { request, answers, done }
}

export function floats(name: string, values: readonly number[]): Tensor {
  const data = new Uint8Array(new Float32Array(values).buffer)
  return { name, datatype: 'FP32', shape: [values.length], data }
}

/** The first answer: numbers of its first output, or `CODE message`. */
export async function told(asked: Asked): Promise<readonly number[] | string> {
  const [answer] = await asked.done
  if (answer === undefined || answer === null) return 'nothing'
  if (answer instanceof Error) return `${answer.code} ${answer.message}`
  const data = answer.outputs[0]?.data.slice() ?? new Uint8Array(0)
  answer.release?.()
  return [...new Float32Array(data.buffer)]
}
