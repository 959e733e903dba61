export {
  startTabServer,
  type TabFacts,
  type TabServer,
  type TabServerOptions,
} from './tab-server.ts'
