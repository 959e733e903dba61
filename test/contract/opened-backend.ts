import type { Backend, BackendModel, Instance, ModelSource } from '../../core/backend/types.ts'
import type { ContractCase } from './backend-tools.ts'

/** A backend while its cases run, and what was opened of it. */
export class OpenedBackend {
  readonly #create: () => Backend | Promise<Backend>
  readonly #models: BackendModel[] = []
  #backend: Promise<Backend> | undefined

  constructor(create: () => Backend | Promise<Backend>) {
    this.#create = create
  }

  backend(): Promise<Backend> {
    this.#backend ??= Promise.resolve(this.#create())
    return this.#backend
  }

  async model(source: ModelSource): Promise<BackendModel> {
    const model = await (await this.backend()).load(source)
    this.#models.push(model)
    return model
  }

  async instance(source: ModelSource, place = 0): Promise<Instance> {
    const model = await this.model(source)
    return model.instance(placementOf(place), source.config)
  }

  async close(): Promise<void> {
    for (const model of this.#models.splice(0)) await model.close()
    await (await this.#backend)?.close?.()
  }
}

export const placementOf = (place: number) =>
  ({ name: `test_${place}`, kind: 'KIND_CPU', device: 0 }) as const

/** Takes the next case. */
export type Add = (name: string, run: () => Promise<void>, skip?: string) => void

/** A list of cases and what adds to it. */
export function caseList(): { readonly cases: ContractCase[]; readonly add: Add } {
  const cases: ContractCase[] = []
  return { cases, add: (name, run, skip) => void cases.push({ name, run, skip: skip ?? false }) }
}
