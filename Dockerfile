# ROK's workers and command line. One image; which worker it is, is an argument, and what it may reach is its environment.
FROM node:20-bookworm-slim AS build
WORKDIR /rok
COPY package.json package-lock.json ./
RUN npm ci --include=dev
COPY tsconfig.json ./
COPY src ./src
RUN npx tsc -b

FROM node:20-bookworm-slim AS dependencies
WORKDIR /rok
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM node:20-bookworm-slim
# The Temporal core verifies TLS with the system's certificates, which the slim image leaves out.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /rok
COPY package.json ./
COPY --from=dependencies /rok/node_modules ./node_modules
COPY --from=build /rok/dist ./dist
COPY sql ./sql
COPY agents ./agents
COPY policies ./policies
USER node
ENTRYPOINT ["node", "dist/worker.js"]
CMD ["--workers", "control,execute,audit"]
