import helmet from 'koa-helmet'

/** Helmet's headers, for a server whose answers are data: no page of it loads, frames or posts anything. */
export function securityHeaders() {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    // Answers are read across origins where CORS_ORIGINS allows it, and by no other way.
    crossOriginResourcePolicy: { policy: 'same-origin' },
  })
}
