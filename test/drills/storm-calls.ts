import { INFER_PATH, STREAM_INFER_PATH } from '../../adapters/grpc/routes.ts'
import { ANSWER_MS } from './client.ts'
import { GrpcConnection } from './grpc.ts'
import { grpcAnswered, inferMessage, streamParts } from './grpc-inference.ts'
import { type Inference, inference } from './inference.ts'
import { repeatMessage } from './repeat.ts'
import { SEQUENCE } from './storm-models.ts'
import { anInference, judge, pause, pick, type Victim, WITHIN_MS } from './storm-victims.ts'

const DEADLINE_EXCEEDED = 4
const UNAVAILABLE = 14
const INTERNAL = 13

/** The server has to end the call: the client only told it the time. */
const deadline: Victim = async (storm) => {
  const asked = anInference(storm)
  const answers: Buffer[] = []
  const call = pick(storm.random, storm.connections).call({
    path: INFER_PATH,
    timeoutMs: storm.random() * WITHIN_MS,
    onMessage: (message) => answers.push(message),
  })
  call.only(inferMessage(asked))
  const timer = setTimeout(() => call.cancel(), ANSWER_MS)
  const { code, text } = await call.ended
  clearTimeout(timer)
  const [answer] = answers
  if (code === 0 && answer !== undefined) judge(storm, asked, grpcAnswered(asked, answer))
  else if (code !== DEADLINE_EXCEEDED && code !== UNAVAILABLE) {
    storm.wrong(`deadline: status ${code} ${text}`)
  }
}

/** A stream of requests that is closed half way: the answers come, unless it is reset too. */
const stream: Victim = async (storm) => {
  const asked: Inference[] = Array.from({ length: 1 + Math.floor(storm.random() * 6) }, () =>
    anInference(storm),
  )
  let answered = 0
  const call = pick(storm.random, storm.connections).call({
    path: STREAM_INFER_PATH,
    onMessage(message) {
      const { error, response } = streamParts(message)
      const one = asked[answered++]
      if (one === undefined) storm.wrong('a stream with more answers than requests')
      else judge(storm, one, error === '' ? grpcAnswered(one, response) : error)
    },
  })
  for (const one of asked) {
    call.send(inferMessage(one))
    if (storm.random() < 0.3) await pause(storm.random() * 5)
  }
  const stays = storm.random() < 0.3
  if (stays || storm.random() < 0.5) call.end()
  const timer = setTimeout(() => call.cancel(), stays ? ANSWER_MS : storm.random() * WITHIN_MS)
  const { code, text } = await call.ended
  clearTimeout(timer)
  if (stays && (code !== 0 || answered !== asked.length)) {
    storm.wrong(`stream: ${answered} of ${asked.length} answers, status ${code} ${text}`)
  }
}

/** Half a message, then the end of the request or of everything. */
const halfMessage: Victim = async (storm) => {
  const connection = new GrpcConnection(storm.server.grpcPort)
  const path = storm.random() < 0.5 ? INFER_PATH : STREAM_INFER_PATH
  const call = connection.call({
    path,
    onMessage: () => storm.wrong('half a message was answered'),
  })
  call.part(Buffer.from([0, 0, 0, 1, 0, ...new Array<number>(Math.floor(storm.random() * 200))]))
  const end = Math.floor(storm.random() * 3)
  await pause((storm.random() * WITHIN_MS) / 3)
  if (end === 0) {
    call.end()
    const { code, text } = await call.ended
    if (code !== INTERNAL) storm.wrong(`half a message: status ${code} ${text}`)
  } else if (end === 1) call.cancel()
  connection.cut()
  await call.ended
}

/** Responses of a decoupled model, of which only some are waited for. */
const decoupled: Victim = async (storm) => {
  const count = 1 + Math.floor(storm.random() * 20)
  const stay = Math.floor(storm.random() * (count + 1))
  const connection = new GrpcConnection(storm.server.grpcPort)
  let got = 0
  const call = connection.call({
    path: STREAM_INFER_PATH,
    onMessage(message) {
      const { error } = streamParts(message)
      if (error !== '') storm.wrong(`repeat: ${error}`)
      if (++got === stay) leave()
    },
  })
  const [cuts, ends] = [storm.random() < 0.5, storm.random() < 0.5]
  const leave = (): void => (cuts ? connection.cut() : call.cancel())
  storm.asked('repeat')
  call.send(repeatMessage({ id: '', count, delayMs: Math.floor(storm.random() * 4) }))
  if (ends) call.end()
  if (stay === 0) setTimeout(leave, storm.random() * WITHIN_MS)
  await call.ended
  connection.cut()
}

/** A sequence that its client forgets, half the time with its connection. */
const sequence: Victim = async (storm) => {
  const connection = new GrpcConnection(storm.server.grpcPort)
  const steps = 1 + Math.floor(storm.random() * 5)
  const id = storm.serial()
  const asked: Inference[] = []
  let answered = 0
  const call = connection.call({
    path: STREAM_INFER_PATH,
    onMessage(message) {
      const { error, response } = streamParts(message)
      const one = asked[answered++]
      if (one !== undefined && error === '') judge(storm, one, grpcAnswered(one, response))
    },
  })
  for (let step = 0; step < steps; step++) {
    const one = inference(SEQUENCE, storm.serial(), { rows: 1, binary: true })
    asked.push(one)
    storm.asked(SEQUENCE)
    const parameters = {
      sequence_id: id + 1,
      sequence_start: step === 0,
      sequence_end: step === steps - 1 && storm.random() < 0.5,
    }
    call.send(inferMessage(one, { parameters }))
  }
  await pause(storm.random() * WITHIN_MS)
  if (storm.random() < 0.5) call.cancel()
  connection.cut()
  await call.ended
}

export const CALLS: Readonly<Record<string, Victim>> = {
  'gRPC, deadline': deadline,
  'stream, closed half way': stream,
  'gRPC, half a message': halfMessage,
  'decoupled, left': decoupled,
  'sequence, forgotten': sequence,
}
