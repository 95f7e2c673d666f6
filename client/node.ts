/**
 * The store for Node, to use together with `./index.ts`.
 *
 * @module
 */
export { fileStore } from './stores/file-store.ts'
