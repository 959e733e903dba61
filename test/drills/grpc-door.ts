import { INFER_PATH } from '../../adapters/grpc/routes.ts'
import { ANSWER_MS, NoAnswer } from './client.ts'
import type { Door } from './door.ts'
import type { GrpcConnection } from './grpc.ts'
import { grpcAnswered, inferMessage } from './grpc-inference.ts'

/** ModelInfer; a cancellation resets the stream. */
export function grpcDoor(connection: GrpcConnection): Door {
  return {
    name: 'gRPC',
    async ask(asked, cancel) {
      const start = performance.now()
      let cancelled = false
      const answers: Buffer[] = []
      const call = connection.call({
        path: INFER_PATH,
        onMessage: (message) => answers.push(message),
      })
      const timer = setTimeout(() => call.cancel(), ANSWER_MS)
      call.only(inferMessage(asked))
      cancel?.(() => {
        cancelled = true
        call.cancel()
      })
      const { code, text } = await call.ended
      clearTimeout(timer)
      const [answer, ...others] = answers
      if (others.length > 0) return `${asked.id}: ${answers.length} answers`
      if (code === 0 && answer !== undefined) return grpcAnswered(asked, answer)
      if (cancelled) return null
      if (code >= 0) return `${asked.id}: status ${code} ${text}`
      const cause: NodeJS.ErrnoException = new Error(text)
      if (connection.refused) cause.code = 'ECONNREFUSED'
      throw new NoAnswer(cause, answer !== undefined, performance.now() - start)
    },
  }
}
