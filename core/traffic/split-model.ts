import { ServerError } from '../errors.ts'
import type { InferRequest } from '../infer.ts'
import type { Routable, ServedModel } from '../server-types.ts'
import { DelegatedModel } from './delegated-model.ts'

/** Who says which version runs a request. */
export interface Router {
  route(request: Routable): ServedModel
}

/** A model whose versions share its traffic: looks like the highest one until a request is {@link route}d. */
export class SplitModel extends DelegatedModel {
  readonly #router: Router

  constructor(router: Router, latest: ServedModel) {
    super(latest)
    this.#router = router
  }

  route(request: Routable): ServedModel {
    return this.#router.route(request)
  }

  /** For whoever need not know which version answers. */
  override submit(request: InferRequest): void {
    try {
      const model = this.route(request)
      model.check(request)
      model.submit(request)
    } catch (error) {
      request.respond(ServerError.from(error))
    }
  }
}
