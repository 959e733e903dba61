import { type Serving, serve } from '../targets/child.ts'

export interface DrillServer extends Serving {
  readonly grpcPort: number
}

/** Starts the built server with all its doors on free ports of this machine. */
export async function serveAll(
  args: readonly string[],
  env?: Record<string, string>,
): Promise<DrillServer> {
  const server = await serve(['--grpc-address=127.0.0.1', '--grpc-port=0', ...args], env)
  const [, port] = await server.line(/Started GRPCInferenceService at 127\.0\.0\.1:(\d+)"/)
  return { ...server, grpcPort: Number(port) }
}
