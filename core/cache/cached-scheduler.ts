import { messageOf, ServerError } from '../errors.ts'
import type { InferRequest, InferResponse } from '../infer.ts'
import type { Clock, Log } from '../platform.ts'
import { admit } from '../schedulers/admission.ts'
import { createDrain } from '../schedulers/drain.ts'
import { createOrderedAnswers } from '../schedulers/ordered-answers.ts'
import { cancelled } from '../schedulers/refusal.ts'
import type { Scheduler } from '../schedulers/types.ts'
import type { FailureReason, ModelStats } from '../stats.ts'
import { copyResponse, responseBytes } from './copy-response.ts'
import { Flight, type Member } from './flight.ts'
import type { RequestKeys } from './request-key.ts'
import type { CachedResponse, ResponseCache } from './types.ts'

export interface CachedSchedulerOptions {
  /** Runs what the cache does not have, and is closed with this one. One answer per request. */
  readonly inner: Scheduler
  readonly cache: ResponseCache
  readonly keys: RequestKeys
  /** What answers belong to just now; null = nothing is kept, and nothing found. */
  readonly identity: () => string | null
  readonly stats: ModelStats
  readonly clock: Clock
  readonly log: Log
  /** `model 'M' version V`, for log lines. */
  readonly what: string
  /** Answers leave in the order in which their requests came, hits too (`preserve_ordering`). */
  readonly ordered: boolean
}

/**
 * Answers from the cache what it has; the rest runs, and its answers are kept. Requests that come while an equal one is on its
 * way wait for that one's answer and count as hits: an error is the answer of all of them and is not kept. A client that
 * leaves takes nobody with it.
 */
export function createCachedScheduler(options: CachedSchedulerOptions): Scheduler {
  const { inner, cache, keys, identity, stats, clock, log } = options
  const flights = new Map<string, Flight>()
  let open = 0
  let told = false

  const respond = (request: InferRequest, answer: InferResponse | ServerError): void => {
    open--
    try {
      request.respond(answer)
    } catch (error) {
      log.error(`${options.what}: an answer was not taken: ${messageOf(error)}`)
    }
    drain.check()
  }
  const ordered = options.ordered
    ? createOrderedAnswers({
        send: (request, answer) => respond(request, answer as InferResponse | ServerError),
      })
    : null
  const give = (
    { request, place }: Member,
    answer: InferResponse | CachedResponse | ServerError,
  ): void => {
    if (ordered === null) respond(request, answer)
    else ordered.answer(place, request, answer, true)
  }
  const hit = (member: Member, response: CachedResponse, nowNs: number, waited: boolean): void => {
    const { request, atNs } = member
    // Waiting for another's answer is waiting; looking up is not.
    const queueNs = waited ? nowNs - atNs : 0
    stats.recordCacheHit(nowNs - request.startNs, queueNs, waited ? 0 : nowNs - atNs)
    give(member, response)
  }
  const fail = (member: Member, reason: FailureReason, error: ServerError): void => {
    stats.recordFailure(reason, clock.now() - member.request.startNs)
    give(member, error)
  }
  const forget = (flight: Flight): void => {
    if (flights.get(flight.key) === flight) flights.delete(flight.key)
  }
  const lead = (flight: Flight): void => {
    inner.submit(flight.start(flight.members[0] as Member))
  }
  const lookedUp = (flight: Flight, response: CachedResponse | null): void => {
    const [first] = flight.members
    if (first === undefined) return
    const nowNs = clock.now()
    flight.lookupNs = nowNs - first.atNs
    if (response === null) {
      lead(flight)
      return
    }
    forget(flight)
    for (const member of flight.take()) hit(member, response, nowNs, false)
  }
  const keep = (flight: Flight, answer: InferResponse): CachedResponse | null => {
    const startNs = clock.now()
    const size = responseBytes(answer)
    const fits = size <= cache.maxEntryBytes
    const copy = fits || flight.members.length > 1 ? copyResponse(answer) : null
    let added = true
    if (!fits) tooLarge(size)
    else if (copy !== null && identity() === flight.identity) added = cache.put(flight.key, copy)
    if (added) stats.recordCacheMiss(flight.lookupNs + clock.now() - startNs)
    return copy
  }
  const tooLarge = (size: number): void => {
    stats.cacheSkipped++
    const text = `${options.what}: a response of ${size} bytes is not kept, the cache takes up to ${cache.maxEntryBytes}`
    if (told) log.verbose(1, text)
    else log.warning(text)
    told = true
  }
  const owner = {
    landed(flight: Flight, answer: InferResponse | ServerError | null): void {
      forget(flight)
      const failed = answer === null || answer instanceof ServerError
      const copy = failed ? null : keep(flight, answer)
      const members = flight.take()
      const nowNs = clock.now()
      // The model counted one request: the first that is still there.
      const counted = members.find(({ request }) => !request.cancelled) ?? members[0]
      for (const member of members) {
        const { request } = member
        if (failed) {
          const error = answer ?? new ServerError('INTERNAL', 'the model gave no response')
          const own = request.cancelled ? cancelled() : addressed(error, flight, request)
          if (member === counted) give(member, own)
          else fail(member, request.cancelled ? 'CANCELED' : reasonOf(error), own)
        } else if (member === members[0] && member === counted) give(member, answer)
        else if (request.cancelled || copy === null) fail(member, 'CANCELED', cancelled())
        else if (member === counted) give(member, copy)
        else hit(member, copy, nowNs, true)
      }
      // The one it was made for is gone: nobody else reads it, for its tensors may be the request's own.
      if (!failed && counted !== members[0]) answer.release?.()
    },
    left(flight: Flight, request: InferRequest): void {
      const { members, run } = flight
      const index = members.findIndex((member) => member.request === request)
      if (index < 0) return
      // What runs reads the first one's tensors, which its front end has for something else once it is answered.
      if (run === null || index > 0) {
        const [member] = members.splice(index, 1)
        if (member !== undefined) fail(member, 'CANCELED', cancelled())
      }
      if (members.some((member) => !member.request.cancelled)) return
      // Nobody is to join what ends here.
      forget(flight)
      run?.cancel()
    },
  }
  const drain = createDrain({ empty: () => open === 0 })
  let closing: Promise<void> | null = null

  return {
    get pending() {
      return inner.pending
    },
    submit(request) {
      const atNs = clock.now()
      if (!admit(request, atNs, drain.draining, stats)) return
      // A step of a sequence answers to more than itself.
      const alone = request.sequenceId === 0n || request.sequenceId === ''
      const owned = alone ? identity() : null
      if (owned === null) {
        inner.submit(request)
        return
      }
      open++
      const key = keys.keyOf(request, owned)
      const member = { request, place: ordered === null ? 0 : ordered.reserve(1), atNs }
      const known = flights.get(key)
      if (known?.fits(request) === true) {
        known.join(member)
        return
      }
      const found = cache.get(key)
      if (found !== null && !(found instanceof Promise)) {
        hit(member, found, clock.now(), false)
        return
      }
      const flight = new Flight({ key, identity: owned, request, owner })
      flight.join(member)
      if (known === undefined) flights.set(key, flight)
      if (found === null) lookedUp(flight, null)
      else
        void found.then(
          (response) => lookedUp(flight, response),
          () => lookedUp(flight, null),
        )
    },
    close() {
      closing ??= drain.close().then(() => inner.close())
      return closing
    },
  }
}

function reasonOf({ code }: ServerError): FailureReason {
  return code === 'UNAVAILABLE' ? 'REJECTED' : 'BACKEND'
}

/** Triton's texts begin with a request's id: one client does not get another's to see. */
function addressed(error: ServerError, { run }: Flight, request: InferRequest): ServerError {
  const prefix = run?.logPrefix ?? ''
  if (run === null || request.id === run.id || !error.message.startsWith(prefix)) return error
  return new ServerError(error.code, request.logPrefix + error.message.slice(prefix.length), {
    ...(error.cause === undefined ? {} : { cause: error.cause }),
    retryAfterSecs: error.retryAfterSecs,
  })
}
