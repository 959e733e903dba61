import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { CLIENT } from './emulator.ts'

export interface RuntimeApi {
  /** Gives the function an event; resolves with the head of its answer, whose body comes as the function sends it. */
  invoke(
    event: object,
  ): Promise<{ readonly mode: string | undefined; readonly body: IncomingMessage }>
  close(): Promise<void>
}

/**
 * The HTTP interface that AWS' runtime client asks for events: the emulator's own keeps streamed answers until they are whole, and
 * takes 6 MB of them, which Lambda does not.
 */
export async function runtimeApi(options: {
  readonly task: string
  readonly layer: string
  readonly handler: string
  readonly models: string
}): Promise<RuntimeApi> {
  let next: ServerResponse | undefined
  let event: object | undefined
  let answered: ((message: IncomingMessage) => void) | undefined
  const give = (): void => {
    if (next === undefined || event === undefined) return
    next.writeHead(200, {
      'Content-Type': 'application/json',
      'Lambda-Runtime-Aws-Request-Id': '1',
      'Lambda-Runtime-Deadline-Ms': String(Date.now() + 60_000),
      'Lambda-Runtime-Invoked-Function-Arn': 'arn:aws:lambda:us-east-1:0:function:test',
      'Lambda-Runtime-Trace-Id': 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0',
    })
    next.end(JSON.stringify(event))
    next = undefined
    event = undefined
  }
  const server = createServer((request, response) => {
    if (request.url?.endsWith('/invocation/next')) {
      next = response
      give()
      return
    }
    request.on('end', () => response.writeHead(202).end())
    answered?.(request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const child: ChildProcess = spawn(
    process.execPath,
    [join(CLIENT, 'index.mjs'), `index.${options.handler}`],
    {
      cwd: options.task,
      env: {
        PATH: process.env['PATH'],
        _HANDLER: `index.${options.handler}`,
        LAMBDA_TASK_ROOT: options.task,
        NODE_PATH: join(options.layer, 'nodejs/node_modules'),
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
        AWS_LAMBDA_FUNCTION_NAME: 'test',
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1769',
        AWS_LAMBDA_LOG_GROUP_NAME: 'test',
        AWS_LAMBDA_LOG_STREAM_NAME: 'test',
        NEREID_MODEL_REPOSITORY: options.models,
      },
      stdio: 'ignore',
    },
  )
  const ended = once(child, 'close')
  return {
    invoke: async (one) => {
      const answer = new Promise<IncomingMessage>((resolve) => {
        answered = resolve
      })
      event = one
      give()
      const body = await Promise.race([answer, ended])
      if (Array.isArray(body)) throw new Error(`the function ended with ${body[0]}`)
      return { mode: body.headers['lambda-runtime-function-response-mode']?.toString(), body }
    },
    close: async () => {
      child.kill('SIGKILL')
      await ended
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
