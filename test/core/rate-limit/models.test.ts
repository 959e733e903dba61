import { describe, expect, it, test } from 'vitest'
import type { Server } from '../../../core/server.ts'
import type { RateResource } from '../../../core/server-options.ts'
import { createFakeBackend, type FakeBackend } from '../../helpers/fake-backend.ts'
import {
  createRepository,
  EXPLICIT,
  fakeConfig,
  infer,
  modelFiles,
  startServer,
  turns,
} from '../repository/harness.ts'

/** An instance group of `count` with these resources. */
const group = (resources: string, count = 1, more = '') =>
  `instance_group [ { count: ${count} ${more} rate_limiter { resources [ ${resources} ] } } ]`
const need = (name: string, count: number, global = false) =>
  `{ name: "${name}" count: ${count} global: ${global} }`

async function serve(
  models: Readonly<Record<string, string>>,
  options: {
    readonly resources?: readonly RateResource[] | null
    readonly loadModels?: readonly string[]
    readonly backend?: FakeBackend
  } = {},
) {
  const { resources = [], loadModels = ['*'], backend = createFakeBackend() } = options
  const files = Object.entries(models).map(([name, extra]) =>
    modelFiles(name, { config: fakeConfig(extra) }),
  )
  return startServer({
    backend,
    repositories: [createRepository(Object.assign({}, ...files))],
    options: {
      ...EXPLICIT,
      loadModels,
      ...(resources === null ? {} : { rateLimit: { resources } }),
    },
  })
}

/** Sends `count` inferences that stay in flight; returns how many instances run. */
async function running(server: Server, backend: FakeBackend, names: readonly string[]) {
  for (const instance of backend.instances) instance.paused = true
  const answers = Promise.all(names.map((name, i) => infer(server, name, [i, i])))
  await turns()
  const count = backend.instances.filter(({ running: one }) => one).length
  for (let left = names.length; left > 0; left--) {
    backend.instances.find(({ running: one }) => one)?.finish()
    await turns(2)
  }
  expect(await answers).toEqual(names.map((_, i) => [i, i]))
  return count
}

describe('models of a server', () => {
  it('share what there is of a resource', async () => {
    const { server, backend } = await serve({
      a: group(need('R', 2)),
      b: group(need('R', 1)),
      c: group(need('R', 1)),
    })
    expect(await running(server, backend, ['b', 'c', 'a'])).toBe(2)
    expect(await running(server, backend, ['a', 'b', 'c'])).toBe(1)
  })

  it('run as they like with the limiter off', async () => {
    const models = { a: group(need('R', 2)), b: group(need('R', 2)) }
    const { server, backend } = await serve(models, { resources: null })
    expect(await running(server, backend, ['a', 'b'])).toBe(2)
  })

  it('have more room as soon as the owner gives more', async () => {
    const models = { a: group(need('R', 2)), b: group(need('R', 2)) }
    const { server, backend } = await serve(models, { resources: [{ name: 'R', count: 4 }] })
    expect(await running(server, backend, ['a', 'b'])).toBe(2)
  })

  it('have as much as the largest need of those that are loaded', async () => {
    const models = { big: group(need('R', 3)), small: group(need('R', 1), 3) }
    const { server, backend } = await serve(models, { loadModels: ['small'] })
    const three = ['small', 'small', 'small']
    expect(await running(server, backend, three)).toBe(1)
    await server.load('big', {})
    expect(await running(server, backend, three)).toBe(3)
    await server.unload('big', false)
    await turns()
    expect(await running(server, backend, three)).toBe(1)
  })

  it('that are passive need nothing', async () => {
    const { server, backend } = await serve({
      a: `instance_group [
        { count: 1 rate_limiter { resources [ ${need('R', 1)} ] } },
        { count: 1 passive: true rate_limiter { resources [ ${need('R', 9)} ] } } ]`,
      b: group(need('R', 1)),
    })
    expect(await running(server, backend, ['a', 'b'])).toBe(1)
  })

  it('keep batching: requests that wait for a resource share the next batch', async () => {
    const { server, backend } = await serve({
      a: `${group(need('R', 1))} dynamic_batching {}`,
      b: group(need('R', 1)),
    })
    expect(await running(server, backend, ['b', 'a', 'a', 'a', 'a'])).toBe(1)
    const [a] = backend.loads
      .map(({ name }, i) => (name === 'a' ? backend.instances[i] : null))
      .filter((one) => one !== null)
    expect(a?.batches.map(({ size }) => size)).toEqual([4])
  })
})

test('the steps of a sequence stay on one instance while both instances take turns', async () => {
  const two = group(need('R', 1), 2)
  const { server, backend } = await serve({
    seq: `${two} sequence_batching { max_sequence_idle_microseconds: 100000000
      control_input [ { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] } ] }`,
    other: group(need('R', 1)),
  })
  const steps: Promise<unknown>[] = []
  for (let i = 0; i < 6; i++) {
    for (const sequenceId of i === 0 ? [1n, 2n, 3n, 4n] : [1n, 1n, 2n, 3n, 1n, 4n]) {
      steps.push(
        infer(server, 'seq', [Number(sequenceId), i], '', { sequenceId, sequenceStart: i === 0 }),
      )
    }
    steps.push(infer(server, 'other', [i, i]))
  }
  await Promise.all(steps)
  const values = backend.instances.map(({ batches }) =>
    batches.flatMap(({ requests }) => requests.map(({ sequenceId }) => sequenceId)),
  )
  const homes = [1n, 2n, 3n, 4n].map((id) => values.filter((ids) => ids.includes(id)).length)
  expect(homes).toEqual([1, 1, 1, 1])
  expect(values.filter((ids) => ids.some((id) => id !== 0n))).toHaveLength(2)
})

/** What the real Triton answers to such a load. */
const unavailable = (name: string, reason: string) =>
  `load failed for model '${name}': version 1 is at UNAVAILABLE state: Invalid argument: ${reason};\n`

describe('a model that could never run', () => {
  it("is not loaded, with Triton's words", async () => {
    const { server } = await serve(
      { a: group(need('R', 4)), fits: group(need('R', 3)) },
      { loadModels: [], resources: [{ name: 'R', count: 3 }] },
    )
    await expect(server.load('a', {})).rejects.toMatchObject({
      code: 'INVALID_ARG',
      message: unavailable(
        'a',
        'Resource count for "R" is limited to 3 which will prevent scheduling of one or more model instances, the minimum required count is 4',
      ),
    })
    await server.load('fits', {})
    expect(await infer(server, 'fits', [1, 2])).toEqual([1, 2])
  })

  it('needs something that is not there once anything is given', async () => {
    const { server } = await serve(
      { a: group(need('other', 1)) },
      { loadModels: [], resources: [{ name: 'R', count: 3 }] },
    )
    await expect(server.load('a', {})).rejects.toThrow('Resource count for "other" is limited to 0')
  })

  it('finds enough on one device only', async () => {
    const gpu = (device: number) => group(need('R', 2), 1, `kind: KIND_GPU gpus: [ ${device} ]`)
    const { server } = await serve(
      { zero: gpu(0), one: gpu(1) },
      {
        loadModels: [],
        resources: [
          { name: 'R', count: 1 },
          { name: 'R', count: 2, device: 1 },
        ],
        backend: createFakeBackend({ gpus: [0, 1] }),
      },
    )
    await server.load('one', {})
    await expect(server.load('zero', {})).rejects.toThrow('is limited to 1 which')
  })

  it('calls a resource global that another model has on each device', async () => {
    const { server, backend } = await serve(
      { local: group(need('R', 1)), global: group(need('R', 1, true)) },
      { loadModels: ['local'] },
    )
    await expect(server.load('global', {})).rejects.toMatchObject({
      code: 'INVALID_ARG',
      message: unavailable(
        'global',
        'Resource "R" is present as both global and device-specific resource in the model configuration.',
      ),
    })
    expect(backend.instances.map(({ closed }) => closed)).toEqual([0, 1])
    await server.unload('local', false)
    await turns()
    await server.load('global', {})
    expect(await infer(server, 'global', [5, 6])).toEqual([5, 6])
  })
})
