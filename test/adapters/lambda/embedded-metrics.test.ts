import { expect, test } from 'vitest'
import {
  embeddedMetrics,
  MAX_MODELS_PER_REPORT,
  MAX_TIMES,
} from '../../../adapters/lambda/embedded-metrics.ts'
import type { ServedModel } from '../../../core/server-types.ts'
import { fakeModel, fakeServer, succeed } from '../metrics/fake-models.ts'

function rig(models: ServedModel[]) {
  const server = fakeServer(models)
  const lines: string[] = []
  const clock = { ns: 0 }
  const metrics = embeddedMetrics({
    server,
    functionName: 'f',
    now: () => clock.ns,
    epochMs: () => 1234,
    write: (text) => lines.push(text),
  })
  const taken = () => lines.splice(0).map((line) => JSON.parse(line))
  return { server, metrics, clock, taken }
}

test('one line says what a version did since the last, with every request’s time', () => {
  const model = fakeModel('m', 2)
  const { metrics, taken } = rig([model, fakeModel('idle', 1)])
  succeed(model, 10, 4)
  succeed(model, 30)
  model.stats.recordFailure('OTHER', 5)
  metrics.flush()
  const [line, ...more] = taken()
  expect(more).toEqual([])
  expect(line).toMatchObject({
    _aws: { Timestamp: 1234, CloudWatchMetrics: [{ Namespace: 'nereid' }] },
    FunctionName: 'f',
    Model: 'm',
    Version: '2',
    Requests: 2,
    Failures: 1,
    Inferences: 5,
    Executions: 2,
    RequestTime: [10, 30],
    ComputeTime: [9, 27],
  })
  // Every figure that the line announces is in it.
  for (const { Name } of line._aws.CloudWatchMetrics[0].Metrics) expect(line).toHaveProperty(Name)
  metrics.flush()
  expect(taken()).toEqual([])
})

test('reports come every ten seconds of requests, and at once when a line is full', () => {
  const model = fakeModel('m', 1)
  const { metrics, clock, taken } = rig([model])
  const request = (): void => {
    succeed(model, 1)
    metrics.tick()
  }
  request()
  expect(taken()).toHaveLength(1)
  request()
  expect(taken()).toHaveLength(0)
  clock.ns += 10e9
  request()
  expect(taken()).toMatchObject([{ Requests: 2 }])
  for (let i = 0; i < MAX_TIMES; i++) request()
  const [full] = taken()
  expect(full.RequestTime).toHaveLength(MAX_TIMES)
})

test('models that are loaded later are watched as well', () => {
  const { server, metrics, taken } = rig([])
  const late = fakeModel('late', 1)
  Object.assign(server, { generation: 2, models: () => [late] })
  metrics.tick()
  succeed(late, 7)
  metrics.flush()
  expect(taken()).toMatchObject([{ Model: 'late', RequestTime: [7] }])
})

test('a report has a bound, and what it leaves out comes with the next', () => {
  const models = Array.from({ length: MAX_MODELS_PER_REPORT + 1 }, (_, i) => fakeModel(`m${i}`, 1))
  const { metrics, taken } = rig(models)
  for (const model of models) succeed(model, 1)
  metrics.flush()
  expect(taken()).toHaveLength(MAX_MODELS_PER_REPORT)
  metrics.flush()
  expect(taken()).toMatchObject([{ Model: `m${MAX_MODELS_PER_REPORT}` }])
})
