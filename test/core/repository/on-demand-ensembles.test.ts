import { expect, test } from 'vitest'
import { withModel } from '../../../core/protocol/bring-model.ts'
import { FAILED_LOAD_NS } from '../../../core/repository/on-demand.ts'
import type { OnDemand } from '../../../core/server-types.ts'
import { ensemble, failure } from './ensemble-files.ts'
import {
  createRepository,
  fakeConfig,
  infer,
  modelFiles,
  pickyBackend,
  startServer,
} from './harness.ts'

test('an ensemble that could not be loaded is not loaded with its steps, but when it is asked for', async () => {
  const sized = fakeConfig('parameters { key: "nereid_memory_bytes" value { string_value: "10" } }')
  const files = createRepository({
    ...modelFiles('a', { config: sized, mark: 'broken' }),
    ...modelFiles('b', { config: sized }),
    ...ensemble('e', ['a', 'b'], {
      extra: 'parameters { key: "nereid_memory_bytes" value { string_value: "10" } }',
    }),
  })
  const { server, clock } = await startServer({
    repositories: [files],
    backend: pickyBackend(),
    // Two of the three: an ensemble that came by itself would unload its own step.
    options: { loadOnDemand: { budget: 29, pinned: [] } },
  })
  const onDemand = server.onDemand as OnDemand
  const ask = (model: string): Promise<number[]> =>
    withModel(onDemand, model, undefined, () => infer(server, model, [1, 2]))
  expect(await failure(ask('e'))).toContain('file is broken')
  files.put(modelFiles('a', { config: sized, mark: 'whole' }))
  clock.advance(FAILED_LOAD_NS)
  expect(await ask('b')).toEqual([1, 2])
  expect(await ask('a')).toEqual([1, 2])
  const loaded = (): string[] =>
    onDemand.figures.flatMap(({ model, loaded }) => (loaded ? [model] : []))
  expect(loaded()).toEqual(['a', 'b'])
  // It says by itself that it has no room.
  expect(await failure(ask('e'))).toContain('the memory budget is 29')
})
