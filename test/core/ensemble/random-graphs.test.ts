import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ServerError } from '../../../core/errors.ts'
import type { InferRequest } from '../../../core/infer.ts'
import {
  createRig,
  ensembleConfig,
  int32,
  manualModel,
  modelConfig,
  type Sent,
  type StepSpec,
  valuesOf,
} from './rig.ts'

const SEED = 20_260_311
const RUNS = 300
const MODELS = 4

/** Every model has inputs I0…, outputs O0… and computes `sum of its inputs * (output + 2) + model`, modulo 2^31. */
const compute = (model: number, output: number, inputs: readonly number[]): number =>
  (inputs.reduce((sum, value) => sum + value, 0) * (output + 2) + model) % 0x7fff_ffff

const step = fc.record({
  model: fc.nat(MODELS - 1),
  /** Which of the tensors that are there so far. */
  inputs: fc.array(fc.nat(1000), { minLength: 1, maxLength: 3 }),
  outputs: fc.integer({ min: 1, max: 2 }),
})
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat(1000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('send' as const), which: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), which: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(1000) }) },
)

interface Graph {
  readonly steps: readonly StepSpec[]
  /** Tensors that no step reads. */
  readonly ends: readonly string[]
  evaluate(inputs: readonly number[]): ReadonlyMap<string, number>
}

function graphOf(inputs: readonly string[], drawn: readonly Drawn[]): Graph {
  const tensors = [...inputs]
  const steps: StepSpec[] = []
  const read = new Set<string>()
  for (const [i, { model, inputs: from, outputs }] of drawn.entries()) {
    // What no step has read yet comes first, so that every input of the ensemble is used.
    const names = from.map((pick, at) =>
      at === 0 && i < inputs.length ? inputs[i]! : tensors[pick % tensors.length]!,
    )
    for (const name of names) read.add(name)
    const made = Array.from({ length: outputs }, (_, at) => `t${i}_${at}`)
    steps.push([
      `m${model}_${names.length}_${outputs}`,
      Object.fromEntries(names.map((name, at) => [`I${at}`, name])),
      Object.fromEntries(made.map((name, at) => [`O${at}`, name])),
    ])
    tensors.push(...made)
  }
  return {
    steps,
    ends: tensors.filter((tensor) => !read.has(tensor)),
    evaluate(given) {
      const values = new Map(inputs.map((name, i) => [name, given[i]!]))
      for (const [i, [, from, to]] of steps.entries()) {
        const taken = Object.values(from).map((name) => values.get(name)!)
        for (const [at, name] of Object.values(to).entries()) {
          values.set(name, compute(drawn[i]!.model, at, taken))
        }
      }
      return values
    },
  }
}

interface Drawn {
  readonly model: number
  readonly inputs: readonly number[]
  readonly outputs: number
}

function answer(request: InferRequest, model: number): void {
  const columns = request.inputs.map(valuesOf)
  request.respond({
    outputs: (request.outputs ?? []).map((name) =>
      int32(
        name,
        [0, 1].map((at) =>
          compute(
            model,
            Number(name.slice(1)),
            columns.map((values) => values[at]!),
          ),
        ),
      ),
    ),
  })
}

test(`random graphs give what direct evaluation gives, and one answer to each request (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { minLength: 3, maxLength: 12 }),
      fc.constantFrom(0, 1, 2),
      fc.array(action, { maxLength: 60 }),
      async (inputCount, drawn, limit, actions) => {
        const inputs = Array.from({ length: inputCount }, (_, i) => `x${i}`)
        const graph = graphOf(inputs, drawn)
        const models = new Map(
          graph.steps.map(([name]) => {
            const [, inputCount = '', outputCount = ''] = name.split('_')
            const names = (kind: string, count: string): string[] =>
              Array.from({ length: Number(count) }, (_, i) => `${kind}${i}`)
            const config = modelConfig(name, names('I', inputCount), names('O', outputCount))
            return [name, manualModel({ config })]
          }),
        )
        const config = ensembleConfig(inputs, graph.ends, graph.steps)
        const scheduling = { ...config.ensemble_scheduling, max_inflight_requests: limit }
        const rig = await createRig({ ...config, ensemble_scheduling: scheduling }, [
          ...models.values(),
        ])
        const sent: { readonly one: Sent; readonly given: readonly number[]; wanted: string[] }[] =
          []
        const open = (): { request: InferRequest; model: number }[] =>
          [...models].flatMap(([name, { open }]) =>
            open.map((request) => ({ request, model: Number(name[1]) })),
          )
        const send = (which: number): void => {
          const given = inputs.map((_, i) => (which * 7 + i) % 100)
          const wanted = graph.ends.filter((_, i) => which % 2 === 0 || ((which >> i) & 1) === 1)
          const outputs = wanted.length === 0 ? graph.ends : wanted
          const tensors = inputs.map((name, i) => int32(name, [given[i]!, given[i]! + 1]))
          sent.push({ one: rig.send(tensors, { outputs }), given, wanted: [...outputs] })
        }
        send(0)
        for (const { do: what, which } of actions) {
          const running = open()
          const picked = running[which % Math.max(1, running.length)]
          if (what === 'send') send(which)
          else if (what === 'cancel') sent[which % sent.length]!.one.request.cancel()
          else if (picked === undefined) continue
          else if (what === 'fail') picked.request.respond(new ServerError('INTERNAL', 'unlucky'))
          else answer(picked.request, picked.model)
        }
        for (let running = open(); running.length > 0; running = open()) {
          for (const { request, model } of running) answer(request, model)
        }
        for (const { one, given, wanted } of sent) {
          expect(one.finals).toBe(1)
          expect(one.answers).toHaveLength(1)
          if (one.error !== '') {
            expect(one.error).toMatch(
              /^(CANCELLED in ensemble 'ens', request was cancelled|INTERNAL in ensemble 'ens', unlucky)$/,
            )
            continue
          }
          const [first, second] = [given, given.map((value) => value + 1)].map(graph.evaluate)
          expect(one.values).toEqual(
            Object.fromEntries(wanted.map((name) => [name, [first!.get(name), second!.get(name)]])),
          )
        }
        const { stats } = rig.ensemble
        expect(stats.success.count + stats.fail.count).toBe(sent.length)
        expect(rig.ensemble.inflight).toBe(0)
        expect(rig.ensemble.pending).toBe(0)
        expect(rig.clock.timers).toBe(0)
        for (const model of models.values()) expect(model.holds).toBe(0)
      },
    ),
    { seed: SEED, numRuns: RUNS },
  )
})
