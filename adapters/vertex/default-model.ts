import type { InferenceServer } from '../../core/server-types.ts'

/** The model of predictions: `wanted`, which must be loaded, or the only one there is. Throws an Error with Triton's text. */
export async function vertexModel(
  server: Pick<InferenceServer, 'index'>,
  wanted: string,
): Promise<string> {
  const names = new Set((await server.index(true)).map(({ name }) => name))
  if (wanted === '') {
    const [only] = names
    if (only !== undefined && names.size === 1) return only
    throw new Error(
      'Expect the model repository contains only a single model if default model is not specified',
    )
  }
  if (names.has(wanted)) return wanted
  throw new Error(`Expect the default model '${wanted}' is loaded`)
}
