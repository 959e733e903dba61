import { join } from 'node:path'
import { send } from '../helpers/http.ts'
import { WINDOW_CLIENTS } from './cases.ts'
import { generateLoad } from './load.ts'
import { TINY } from './models.ts'
import { startNereid } from './servers.ts'

interface Counts {
  readonly inference_count: number
  readonly execution_count: number
}

const MODEL = `${TINY.base}_db`

/** Rows per execution while {@link WINDOW_CLIENTS} clients ask a model whose window is 1 ms, by its own statistics. */
export async function meanBatch(options: { cache: string; seconds: number }): Promise<number> {
  const server = await startNereid({
    repository: join(options.cache, 'repo'),
    models: [MODEL],
    core: 'server',
  })
  try {
    const counts = async (): Promise<Counts> => {
      const answer = await send({ url: `${server.url}/v2/models/${MODEL}/stats` })
      return (JSON.parse(answer.body.toString()) as { model_stats: [Counts] }).model_stats[0]
    }
    const before = await counts()
    await generateLoad({
      url: `${server.url}/v2/models/${MODEL}/infer`,
      model: TINY,
      connections: WINDOW_CLIENTS,
      ...options,
    })
    const after = await counts()
    return (
      (after.inference_count - before.inference_count) /
      (after.execution_count - before.execution_count)
    )
  } finally {
    await server.running.stop()
  }
}
