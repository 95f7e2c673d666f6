# Node 24 is the LTS line with the longest support (to April 2028) that the tests run on. `slim` is Debian, as
# on most machines. Only the major version is pinned, so that each build takes the security updates of Node and
# Debian; pin a digest if your images must be reproducible.
FROM node:24-slim AS base
WORKDIR /app
COPY package.json package-lock.json ./

FROM base AS dependencies
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM base AS build
RUN npm ci --ignore-scripts --no-audit --no-fund
# What .dockerignore lets through.
COPY . .
RUN npm run build

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PRESERVE_SESSIONS_ON_REBOOT=1
COPY --from=dependencies /app/package.json ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist/protocol ./dist/protocol
COPY --from=build /app/dist/pkcs8 ./dist/pkcs8
COPY --from=build /app/dist/server ./dist/server
# For the operator's commands, such as `npm run keys`: they ask first whether the build is fresh.
COPY --from=build /app/scripts/build.js ./scripts/
COPY --from=build /app/dist/.built ./dist/
# The rest belongs to root, so the server can change neither its code nor its dependencies.
RUN install --directory --owner=node --group=node --mode=700 data keys
USER node
EXPOSE 3000
# Not /readyz: while the database is away, a restart would not help.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT ?? 3000}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without npm or a shell in between, so that SIGTERM reaches the server.
CMD ["node", "--disable-warning=ExperimentalWarning", "dist/server/index.js"]
