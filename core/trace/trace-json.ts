import { TIMESTAMPS } from './level.ts'
import type { FinishedTrace, ModelTrace, TraceMark } from './types.ts'

/** Triton's objects for one trace, separated by commas: first those of the requests made for it, then its own. */
export function traceJson(trace: FinishedTrace): string {
  const objects: string[] = []
  const timed = (trace.level & TIMESTAMPS) !== 0
  const own = trace.models[0]
  for (const model of trace.models.slice(1).reverse()) addModel(objects, model, timed)
  const before = trace.marks.filter(({ ns }) => own !== undefined && ns <= own.startNs)
  if (timed) for (const mark of before) objects.push(timestamp(trace.id, mark))
  if (own !== undefined) addModel(objects, own, timed)
  if (timed) {
    for (const mark of trace.marks) {
      if (!before.includes(mark)) objects.push(timestamp(trace.id, mark))
    }
  }
  return objects.join(',')
}

function addModel(objects: string[], model: ModelTrace, timed: boolean): void {
  const { id, parentId, requestId } = model
  const request = requestId === '' ? '' : `,"request_id":${JSON.stringify(requestId)}`
  const parent = parentId === 0 ? '' : `,"parent_id":${parentId}`
  objects.push(
    `{"id":${id},"model_name":${JSON.stringify(model.model)},"model_version":${model.version}${request}${parent}}`,
  )
  const at = (name: string, ns: number): void => {
    if (timed && ns > 0) objects.push(timestamp(id, { name, ns }))
  }
  at('REQUEST_START', model.startNs)
  at('QUEUE_START', model.queuedNs)
  for (const { activity, name, data, shape, datatype } of model.tensors) {
    const tensor = JSON.stringify({ name, data, shape: shape.join(','), dtype: datatype })
    objects.push(`{"id":${id},"activity":"${activity}","tensor":${tensor}}`)
  }
  at('COMPUTE_START', model.computeStartNs)
  at('COMPUTE_INPUT_END', model.computeInputEndNs)
  at('COMPUTE_OUTPUT_START', model.computeOutputStartNs)
  at('COMPUTE_END', model.computeEndNs)
  for (const ns of model.responsesNs) at('INFER_RESPONSE_COMPLETE', ns)
  at('REQUEST_END', model.endNs)
}

function timestamp(id: number, { name, ns }: TraceMark): string {
  return `{"id":${id},"timestamps":[{"name":"${name}","ns":${Math.round(ns)}}]}`
}
