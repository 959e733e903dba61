/** NRT_STATUS by code. */
const NAMES: Readonly<Record<number, string>> = {
  1: 'NRT_FAILURE',
  2: 'NRT_INVALID',
  3: 'NRT_INVALID_HANDLE',
  4: 'NRT_RESOURCE',
  5: 'NRT_TIMEOUT',
  6: 'NRT_HW_ERROR',
  7: 'NRT_QUEUE_FULL',
  9: 'NRT_LOAD_NOT_ENOUGH_NC',
  10: 'NRT_UNSUPPORTED_NEFF_VERSION',
  11: 'NRT_FAIL_HOST_MEM_ALLOC',
  13: 'NRT_UNINITIALIZED',
  14: 'NRT_CLOSED',
  15: 'NRT_QUEUE_EMPTY',
  101: 'NRT_EXEC_UNIT_UNRECOVERABLE',
  1002: 'NRT_EXEC_BAD_INPUT',
  1003: 'NRT_EXEC_COMPLETED_WITH_NUM_ERR',
  1004: 'NRT_EXEC_COMPLETED_WITH_ERR',
  1005: 'NRT_EXEC_NC_BUSY',
  1006: 'NRT_EXEC_OOB',
  1100: 'NRT_COLL_PENDING',
  1200: 'NRT_EXEC_HW_ERR_COLLECTIVES',
  1201: 'NRT_EXEC_HW_ERR_HBM_UE',
  1202: 'NRT_EXEC_HW_ERR_NC_UE',
  1203: 'NRT_EXEC_HW_ERR_DMA_ABORT',
  1204: 'NRT_EXEC_SW_NQ_OVERFLOW',
  1205: 'NRT_EXEC_HW_ERR_REPAIRABLE_HBM_UE',
  1206: 'NRT_NETWORK_PROXY_FAILURE',
}

export const NRT_SUCCESS = 0
export const NRT_INVALID = 2
export const NRT_RESOURCE = 4
export const NRT_TIMEOUT = 5
export const NRT_QUEUE_FULL = 7
export const NRT_LOAD_NOT_ENOUGH_NC = 9
export const NRT_FAIL_HOST_MEM_ALLOC = 11
export const NRT_EXEC_BAD_INPUT = 1002
export const NRT_EXEC_NC_BUSY = 1005

/** True for what a core does not recover from without somebody's help. */
export function isHardwareFailure(status: number): boolean {
  return status === 6 || status === 101 || (status >= 1200 && status <= 1205 && status !== 1204)
}

export function statusName(status: number): string {
  return NAMES[status] ?? 'unknown'
}

/** What the Neuron runtime says when a call fails. */
export class NeuronError extends Error {
  /** NRT_STATUS */
  readonly status: number

  constructor(call: string, status: number) {
    super(`${call} failed: ${status} (${statusName(status)})`)
    this.name = 'NeuronError'
    this.status = status
  }
}
