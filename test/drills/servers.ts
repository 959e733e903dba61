import { type Serving, serve } from '../targets/child.ts'

export interface DrillServer extends Serving {
  readonly grpcPort: number
}

/**
 * For drills that ask whether every request is answered: a shared machine stands still now and then, and a server sheds
 * inference meanwhile.
 */
export const PATIENT = '--overload-lag-ms=0'

/** Starts the built server with all its doors on free ports of this machine. */
export async function serveAll(
  args: readonly string[],
  env?: Record<string, string>,
): Promise<DrillServer> {
  const server = await serve(['--grpc-address=127.0.0.1', '--grpc-port=0', ...args], env)
  const [, port] = await server.line(/Started GRPCInferenceService at 127\.0\.0\.1:(\d+)"/)
  return { ...server, grpcPort: Number(port) }
}
