import { decodeProtectedHeader, type JWSHeaderParameters } from 'jose'
import { defineFeature, type Feature } from '../../../server/feature.ts'

export interface SeenRequest {
  /** Such as `POST /token`. */
  readonly line: string
  /** The protected header of its token, in the header or the body, if it has one. */
  readonly header: JWSHeaderParameters | undefined
  /** The media types of its body and of the answer's, if there are any. */
  readonly types: readonly [body: string, answer: string]
}

/** A feature that records every request to its server, from whatever browser. */
export function watchRequests(): { feature: Feature; seen: SeenRequest[] } {
  const seen: SeenRequest[] = []
  const feature = defineFeature({
    create: () => ({
      async middleware(ctx, next) {
        const bearer = /^Bearer (.*)$/.exec(ctx.get('authorization'))?.[1]
        await next()
        const { refresh_token, token } = (ctx.request.body ?? {}) as Record<string, string>
        const jwe = bearer ?? refresh_token ?? token
        seen.push({
          line: `${ctx.method} ${ctx.path}`,
          header: jwe === undefined ? undefined : decodeProtectedHeader(jwe),
          types: [ctx.request.type, ctx.response.type],
        })
      },
    }),
  })
  return { feature, seen }
}
