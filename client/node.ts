/**
 * What the client needs on Node besides `./index.ts`.
 *
 * @module
 */
export { fileStore } from './stores/file-store.ts'
