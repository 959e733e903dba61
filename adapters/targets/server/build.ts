/** How the bundle of this target is made; `infra/build.ts` reads it. */
export const build = {
  // Node, Linux, macOS and Windows alike; libraries with native parts stay outside the bundle, and such as few servers use.
  external: [
    'koffi',
    'onnxruntime-node',
    '@redis/client',
    '@aws-sdk/client-s3',
    '@opentelemetry/api',
    '@opentelemetry/exporter-trace-otlp-http',
    '@opentelemetry/resources',
    '@opentelemetry/sdk-trace-base',
    'esbuild',
  ],
  bundles: [
    {
      format: 'cjs',
      entries: { main: 'main.ts', serve: 'serve.ts' },
      // The launcher loads the server at run time, from beside itself.
      leave: { './server.ts': './server.mjs' },
      shebang: true,
    },
    {
      format: 'esm',
      entries: {
        server: 'server.ts',
        // What `--onnx-runtime=node` runs in its threads.
        'onnx-node-worker': '../../backends/onnx-node-worker.ts',
        // What reads large forests.
        'fil-worker': '../../backends/fil-worker.ts',
        // What instances of models in TypeScript run in.
        'typescript-worker': '../../backends/typescript-worker.ts',
      },
      leave: {},
      shebang: false,
    },
  ],
  copies: {
    // Types alone, and none but its own: good as declarations.
    'model.d.ts': '../../../core/model-api/types.ts',
    // What instances of models in Python run in, and what runs models of Python libraries.
    'python/worker': '../../../native/python/worker',
    'python/runtimes': '../../../native/python/runtimes',
  },
  authors: {
    folder: 'authors',
    modules: { 'backend-contract': 'test/contract/for-authors.ts' },
    declarations: ['adapters/backends/plugin/types.ts'],
  },
  /** Bytes of all scripts together, without source maps. */
  maxBytes: 1_600_000,
} as const
