import { defineFeature } from '../../feature.ts'
import { playgroundFiles } from './files.ts'

/** A page that shows how the tokens work, step by step. Not served in production. */
export const playground = defineFeature({
  create({ config }) {
    if (config.production) return {}
    const file = playgroundFiles()
    return {
      routes: ({ open }) => {
        open('GET', '/', file('index.html'))
        open('GET', '/playground/playground.css', file('playground.css'))
        open('GET', '/playground/playground.js', file('playground.js'))
        open('GET', '/playground/client.js', file('client.js'))
        open('GET', '/playground/icon.svg', file('icon.svg'))
      },
    }
  },
})
