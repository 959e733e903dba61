import { parentPort } from 'node:worker_threads'
import type { ModelConfig } from '../../core/config/types.ts'
import type { ModelModule } from '../../core/model-api/types.ts'
import { answerRules } from './typescript-answers.ts'
import { Calls, type Post } from './typescript-calls.ts'
import { modelContext } from './typescript-context.ts'
import type { ToWorker } from './typescript-messages.ts'
import { Runs } from './typescript-runs.ts'
import { wireError } from './typescript-wire.ts'

/** The worker of one instance of a model in TypeScript: it has nothing but messages in common with the server. */
const port = parentPort
if (port === null) throw new Error('typescript-worker runs as a worker thread')

const post: Post = (message, transfer) => port.postMessage(message, transfer)
const calls = new Calls(post)
let model: ModelModule | null = null
let runs: Runs | null = null

async function open(url: string, config: string): Promise<void> {
  model = modelIn(await import(url))
  const { autoComplete } = model
  const own = autoComplete === undefined ? model.config : await autoComplete(JSON.parse(config))
  post({ kind: 'opened', config: own === undefined ? null : JSON.stringify(own) })
}

/** The module itself, or what it exports by default. */
function modelIn(module: Partial<ModelModule> & { default?: Partial<ModelModule> }): ModelModule {
  for (const one of [module, module.default]) {
    if (typeof one?.execute === 'function') return one as ModelModule
  }
  throw new Error('the module exports no function execute')
}

async function start(message: Extract<ToWorker, { kind: 'start' }>): Promise<void> {
  if (model === null) throw new Error('no module is open')
  const opened = model
  const { name, version, instance } = message
  const config: ModelConfig = JSON.parse(message.config)
  runs = new Runs((requests) => opened.execute(requests), answerRules(config), post)
  let started = false
  const context = modelContext({
    name,
    version,
    instance,
    config,
    calls,
    post,
    started: () => started,
  })
  await opened.initialize?.(context)
  started = true
  post({ kind: 'started' })
}

async function finish(): Promise<void> {
  await model?.finalize?.()
  post({ kind: 'finished' })
}

function attempt(work: Promise<void>): void {
  work.catch((error: unknown) => {
    if (error instanceof Error && error.stack !== undefined) {
      post({ kind: 'log', level: 'verbose', message: error.stack })
    }
    post({ kind: 'failed', error: wireError(error, 'INTERNAL') })
  })
}

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'open':
      attempt(open(message.url, message.config))
      break
    case 'start':
      attempt(start(message))
      break
    case 'run':
      void runs?.run(message)
      break
    case 'cancel':
      runs?.cancel(message.run, message.index)
      break
    case 'credit':
      runs?.credit(message.run, message.index)
      break
    case 'answer':
    case 'controlled':
      calls.receive(message)
      break
    case 'finish':
      attempt(finish())
      break
  }
})
