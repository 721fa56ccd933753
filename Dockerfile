FROM node:20-slim AS build
WORKDIR /app
# The image talks to a MongoDB elsewhere; no mongod is fetched.
ENV MONGOMS_DISABLE_POSTINSTALL=1
COPY .npmrc package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY migrations migrations
COPY src src
RUN npm run build

FROM node:20-slim
WORKDIR /app
ENV NODE_ENV=production MONGOMS_DISABLE_POSTINSTALL=1
COPY .npmrc package.json package-lock.json ./
RUN npm ci --omit=dev && npm cache clean --force
COPY --from=build /app/dist dist
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HTTP_PORT || 8080}/livez`, { signal: AbortSignal.timeout(3000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# What is in hand lives for some tenths of a second: young objects get room for that, or they are copied again and again.
CMD ["node", "--enable-source-maps", "--max-semi-space-size=32", "dist/src/cli.js", "serve"]
