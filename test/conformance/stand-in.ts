import type { RecordedAnswer } from './cases.ts'

/** Takes out what shows that the real Triton ran the models with the backend of `triton/onnxruntime`. */
export function withoutStandIn(answer: RecordedAnswer): RecordedAnswer {
  const { json } = answer
  if (typeof json !== 'object' || json === null || !('runtime' in json)) return answer
  return { ...answer, json: { ...json, runtime: '' } }
}
