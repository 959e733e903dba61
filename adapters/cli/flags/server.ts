import type { FlagGroup } from '../flag-types.ts'
import { backendSetting } from '../flag-values.ts'

export const SERVER_GROUP: FlagGroup = {
  title: 'Server',
  flags: [
    {
      name: 'id',
      type: 'string',
      default: 'triton',
      effect: 'served',
      help: 'Identifier for this server.',
    },
    {
      name: 'exit-timeout-secs',
      type: 'integer',
      default: '30',
      min: 0,
      effect: 'served',
      help: 'Seconds to wait for in-flight inferences when exiting. After that the server exits even if some are still in flight.',
    },
  ],
}

export const LOG_GROUP: FlagGroup = {
  title: 'Logging',
  flags: [
    {
      name: 'log-verbose',
      type: 'integer',
      default: '0',
      min: 0,
      effect: 'served',
      help: 'Verbose logging level: 0 is off, values >= 1 log more.',
    },
    {
      name: 'log-info',
      type: 'boolean',
      default: 'true',
      effect: 'served',
      help: 'Log at info level.',
    },
    {
      name: 'log-warning',
      type: 'boolean',
      default: 'true',
      effect: 'served',
      help: 'Log at warning level.',
    },
    {
      name: 'log-error',
      type: 'boolean',
      default: 'true',
      effect: 'served',
      help: 'Log at error level.',
    },
    {
      name: 'log-format',
      type: 'choice',
      choices: ['default', 'ISO8601'],
      value: 'string',
      default: 'default',
      effect: 'served',
      help: '"default" writes "LMMDD hh:mm:ss.ssssss", "ISO8601" writes "YYYY-MM-DDThh:mm:ssZ L".',
    },
    {
      name: 'log-file',
      type: 'string',
      effect: 'served',
      help: 'Append the log to this file instead of writing it to the console.',
    },
  ],
}

export const REPOSITORY_GROUP: FlagGroup = {
  title: 'Model Repository',
  flags: [
    {
      name: 'model-store',
      type: 'string',
      repeatable: true,
      effect: 'served',
      help: 'Equivalent to --model-repository.',
    },
    {
      name: 'model-repository',
      type: 'string',
      repeatable: true,
      effect: 'served',
      help: 'Path of a model repository. Repeat it for several; a model that two of them hold is not available. Without it the sample models of this package are served.',
    },
    {
      name: 'exit-on-error',
      type: 'boolean',
      default: 'true',
      effect: 'served',
      help: 'Exit when a model cannot be loaded at start-up.',
    },
    {
      name: 'disable-auto-complete-config',
      type: 'flag',
      effect: 'served',
      help: 'Do not complete model configurations from the models themselves: every model must bring a complete config.pbtxt.',
    },
    {
      name: 'strict-readiness',
      type: 'boolean',
      default: 'true',
      effect: 'served',
      help: 'If true, /v2/health/ready says ready only while all models are available.',
    },
    {
      name: 'model-control-mode',
      type: 'choice',
      choices: ['none', 'poll', 'explicit'],
      value: 'string',
      default: 'none',
      effect: 'served',
      help: '"none" loads everything once, "poll" follows changes of the repository, "explicit" loads and unloads by request.',
    },
    {
      name: 'repository-poll-secs',
      type: 'integer',
      default: '15',
      min: 0,
      effect: 'served',
      help: 'Seconds between two polls with --model-control-mode=poll.',
    },
    {
      name: 'load-model',
      type: 'string',
      repeatable: true,
      effect: 'served',
      help: 'Model to load at start-up with --model-control-mode=explicit; repeat it for several, or * alone for all.',
    },
    {
      name: 'model-config-name',
      type: 'string',
      effect: 'served',
      help: 'Use configs/<name>.pbtxt of a model where it exists, else its config.pbtxt.',
    },
    {
      name: 'model-load-thread-count',
      type: 'integer',
      default: '4',
      min: 1,
      effect: 'served',
      help: 'Models loaded at the same time.',
    },
    {
      name: 'model-load-retry-count',
      type: 'integer',
      default: '0',
      min: 0,
      effect: 'served',
      help: 'How often a failed load is tried again.',
    },
    {
      name: 'model-namespacing',
      type: 'boolean',
      default: 'false',
      effect: 'accepted',
      help: 'Serve models of the same name from different repositories.',
    },
    {
      name: 'enable-peer-access',
      type: 'boolean',
      default: 'true',
      effect: 'accepted',
      help: 'Peer access between GPUs.',
    },
  ],
}

export const BACKEND_GROUP: FlagGroup = {
  title: 'Backend',
  flags: [
    {
      name: 'backend-directory',
      type: 'string',
      default: '/opt/tritonserver/backends',
      effect: 'served',
      help: 'Holds a folder for each backend that is a plug-in.',
    },
    {
      name: 'backend-config',
      type: 'string',
      value: '<string>,<string>=<string>',
      repeatable: true,
      effect: 'served',
      check: (value) => void backendSetting(value),
      help: 'Setting of a backend: --backend-config=<backend>,<setting>=<value>; without a backend, of all.',
    },
    {
      name: 'repoagent-directory',
      type: 'string',
      default: '/opt/tritonserver/repoagents',
      effect: 'accepted',
      help: 'Where Triton looks for repository agents.',
    },
    {
      name: 'onnx-runtime',
      type: 'choice',
      choices: ['ffi', 'node'],
      value: 'string',
      default: 'ffi',
      effect: 'served',
      help: 'How ONNX Runtime is called: "ffi" is its C library, "node" is onnxruntime-node in worker threads.',
    },
  ],
}
